#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/coarse_time.h"
#include "base/ids.h"
#include "event/frame.h"
#include "net/event_loop.h"
#include "net/socket.h"

namespace sse::net {

/// Why a stream ended. Every way out has one of these; each has a name in log, metrics and the API.
enum class CloseReason : unsigned char {
  kClientClosed,    ///< the peer ended the connection (FIN)
  kConnectionLost,  ///< reset, timed out or unreachable
  kDisconnect,      ///< the page said goodbye (disconnect.do)
  kSlowConsumer,    ///< owed more than --max-backlog
  kKeepalive,       ///< lived as long as its keepaliveTime allowed
  kReplaced,        ///< newer streams of the same client took its place (--client-max-connections)
  kServerClosed,    ///< closed on purpose: an operator or the application
  kShutdown,        ///< the server is stopping
  kRefused,         ///< the kernel had no room to watch it; nothing was written
  kTokenExpired,    ///< what its client identified itself by is valid no longer
};
inline constexpr std::size_t kCloseReasons = 10;
/// Inverse of reason_name(); nullopt for none.
std::optional<CloseReason> reason_from_name(std::string_view name);
/// `client-closed`, `slow-consumer`, …
std::string_view reason_name(CloseReason reason);

class Stream;

/// What a stream tells its owner, on the loop thread.
class StreamOwner {
 public:
  /// Frames wait to be written: call flush() at the end of this turn.
  virtual void stream_dirty(Stream& stream) = 0;
  /// The stream is over and holds no socket any more. Called once, possibly from inside append(). The owner may destroy
  /// it at the end of the turn, not before.
  virtual void stream_closed(Stream& stream, CloseReason reason) = 0;
  /// Before stream_closed(): so many messages were with it whose last byte nobody has acknowledged.
  virtual void stream_lost(Stream& /*stream*/, std::size_t /*messages*/) {}
  /// The peer's TCP has acknowledged the last byte of a frame that carries a message.
  virtual void stream_acknowledged(Stream& stream, MessageId message, event::TargetKind recipient) = 0;
  /// A frame that carries a message is with the socket: call check_acknowledged() from time to time.
  virtual void stream_awaits(Stream& stream) = 0;
  /// The backlog is empty again after the socket had been full.
  virtual void stream_drained(Stream& stream) = 0;

 protected:
  ~StreamOwner() = default;
};

/// One client's socket and what it is owed: a queue and a state. Belongs to one loop; loop thread only.
class Stream : public EventLoop::Handler {
 public:
  /// What a stream does when a frame would take it over the backlog cap.
  enum class Overflow : unsigned char { kClose, kDrop };

  struct Limits {
    std::uint64_t max_backlog = 1024ULL * 1024;  ///< bytes; one frame is always taken by an empty backlog
    Overflow overflow = Overflow::kClose;
  };

  /// What all streams of one owner share: a pointer each instead of three.
  struct Host {
    EventLoop& loop;
    StreamOwner& owner;
    const Limits& limits;
    /// What all of them owe now. Written by the loop, read by any thread.
    mutable std::atomic<std::uint64_t> owed{0};
  };

  /// Takes the socket and watches it. With `chunked` every frame is written as a chunk (RFC 9112 §7.1), and what ends
  /// on purpose ends with the last chunk; the caller's response head says so. `host` and what it names must outlive the
  /// stream. Throws Error(kIo) when epoll refuses.
  Stream(const Host& host, Socket socket, bool chunked = false);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// What became of a frame.
  enum class Append : unsigned char { kTaken, kDropped, kOverflow, kClosed };

  /// Queues a frame; it is written by flush(). kOverflow: the stream is over its cap and must be closed by the caller.
  /// REQUIRES: a plain view.
  Append append(const event::FrameRef& frame);
  /// Bytes that append() of this frame would add to the backlog.
  std::size_t size_of(const event::Frame& frame) const { return frame.view(chunked_).size(); }
  /// Whether its body is chunked.
  bool chunked() const { return chunked_; }
  /// Writes what the socket takes, all queued frames in as few calls as possible.
  void flush();
  /// Writes what is queued, then ends the body and the connection; nothing more is taken. The owner hears
  /// stream_closed(reason) when the peer has closed too, or calls abort() when it has waited long enough. With
  /// `peer_first` the peer is expected to close of its own accord: our end stays open until it has, or end() is called.
  void finish(CloseReason reason, bool peer_first = false);
  /// Does not wait for the peer any longer. True when that ends our side now; false when it has ended before.
  bool end();
  /// Closes now.
  void abort(CloseReason reason);
  /// From now on the peer's TCP confirms nothing: frames that carry a message are sent like all others.
  void leave_acknowledging_to_client() { watches_acknowledgements_ = false; }
  /// Looks at how much the peer has acknowledged and reports it, stream_acknowledged() for each message. Returns false
  /// when nothing is left to wait for.
  bool check_acknowledged();

  bool open() const { return fd_.valid() && !finishing_; }
  bool closed() const { return !fd_.valid(); }
  bool awaits_acknowledgement() const { return extra_ != nullptr && !extra_->unacknowledged.empty(); }
  /// True for a message that is queued, or written and not acknowledged.
  bool carries(MessageId message) const;
  /// All of those, sorted.
  std::vector<MessageId> carried_messages() const;
  /// Bytes queued and not yet taken by the socket; of a stream that has ended, those it never took.
  std::uint64_t backlog_bytes() const { return owed_; }
  /// Bytes the socket has taken, response head included; with TLS before they were encrypted.
  std::uint64_t bytes_sent() const { return sent_; }
  /// The frame the socket takes next, as it was appended; null when nothing is owed.
  const event::Frame* oldest_unsent() const { return first_ ? &first_->plain() : nullptr; }
  /// True since the socket refused bytes, until the backlog is empty.
  bool blocked() const { return blocked_; }
  /// When the socket last took bytes, to 10 ms.
  SteadyTime last_write() const { return last_write_.at(host_.loop.now()); }
  /// Gives back memory of a burst that is over.
  void trim();

 private:
  struct Unacknowledged {
    std::uint64_t end = 0;  // of what the socket has taken, see position()
    MessageId message;
    event::TargetKind recipient = event::TargetKind::kAll;
  };
  // Only streams that owe more than one frame, await acknowledgements or speak TLS have one.
  struct Extra {
    std::unique_ptr<TlsSession> tls;
    std::vector<event::FrameRef> queue;  // frames after first_; [head, size) are queued
    std::size_t head = 0;
    std::vector<Unacknowledged> unacknowledged;  // ascending by end
  };

  void on_events(std::uint32_t events) override;
  void read_and_discard();
  bool write_some();
  ssize_t send_plain();
  ssize_t send_encrypted();
  TlsSession* tls() const { return extra_ ? extra_->tls.get() : nullptr; }
  // How many bytes TCP has been given.
  std::uint64_t position() const { return tls() != nullptr ? tls()->wire_bytes() : sent_; }
  void consume(std::size_t bytes);
  void enqueue(const event::Frame& view);
  void pop_first();
  std::size_t queued() const;
  /// Queued or written; 0 where the client confirms by itself.
  std::size_t unconfirmed_messages() const;
  void set_blocked(bool blocked);
  void note_owed(std::int64_t change);
  void close(CloseReason reason);

  // What a delivery touches is one cache line, with room at its end for flags of the class derived.
  const Host& host_;
  UniqueFd fd_;
  std::uint32_t first_written_ = 0;  // of first_
  event::FrameRef first_;            // of this and of the queue: views that are written as they are
  std::unique_ptr<Extra> extra_;
  std::uint64_t sent_ = 0;
  std::uint32_t owed_ = 0;
  CoarseTime last_write_;
  bool blocked_ = false;
  bool dirty_ = false;
  bool finishing_ = false;
  bool write_ended_ : 1 = false;
  bool peer_first_ : 1 = false;
  bool watches_acknowledgements_ = true;
  bool chunked_;
  CloseReason finish_reason_ = CloseReason::kServerClosed;
};

}  // namespace sse::net
