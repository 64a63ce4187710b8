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

/// Why a stream ended. Every end has a reason, and every reason a name in the log, the metrics and the API.
enum class CloseReason : unsigned char {
  kClientClosed,    ///< the peer ended the connection (FIN)
  kConnectionLost,  ///< reset, timed out or unreachable
  kDisconnect,      ///< the page disconnected (disconnect.do)
  kSlowConsumer,    ///< the backlog exceeded --max-backlog
  kKeepalive,       ///< the keepaliveTime of the stream is over
  kReplaced,        ///< newer streams of the same client replaced it (--client-max-connections)
  kServerClosed,    ///< closed by an operator or the application
  kShutdown,        ///< the server is stopping
  kRefused,         ///< epoll refused the descriptor; nothing was written
  kTokenExpired,    ///< the credentials of its client have expired
  kUnconfirmed,     ///< its client was given a message several times and has confirmed nothing
};
inline constexpr std::size_t kCloseReasons = 11;
/// Inverse of reason_name(); nullopt for an unknown name.
std::optional<CloseReason> reason_from_name(std::string_view name);
/// The name of a reason: `client-closed`, `slow-consumer`, …
std::string_view reason_name(CloseReason reason);

class Stream;

/// The callbacks of a stream to its owner, on the loop thread.
class StreamOwner {
 public:
  /// Frames are queued: call flush() at the end of this turn.
  virtual void stream_dirty(Stream& stream) = 0;
  /// The stream is closed and has no socket any more. Called once, possibly from inside append(). The owner may destroy
  /// it at the end of the turn, not before.
  virtual void stream_closed(Stream& stream, CloseReason reason) = 0;
  /// Before stream_closed(): the number of messages on the stream whose last byte was not acknowledged.
  virtual void stream_lost(Stream& /*stream*/, std::size_t /*messages*/) {}
  /// The peer's TCP has acknowledged the last byte of a frame with a message.
  virtual void stream_acknowledged(Stream& stream, MessageId message, event::TargetKind recipient) = 0;
  /// The socket has taken a frame with a message: call check_acknowledged() from time to time.
  virtual void stream_unacknowledged(Stream& stream) = 0;
  /// The backlog is empty again after the socket was full.
  virtual void stream_drained(Stream& stream) = 0;

 protected:
  ~StreamOwner() = default;
};

/// The sending side of one client's connection: a socket, a backlog of frames and a state. Belongs to one loop; loop
/// thread only.
class Stream : public EventLoop::Handler {
 public:
  /// What happens to a frame that would exceed the backlog limit.
  enum class Overflow : unsigned char { kClose, kDrop };

  struct Limits {
    std::uint64_t max_backlog = 1024ULL * 1024;  ///< bytes; an empty backlog always takes one frame
    Overflow overflow = Overflow::kClose;
  };

  /// What all streams of one owner share: one pointer for each stream instead of three.
  struct Host {
    EventLoop& loop;
    StreamOwner& owner;
    const Limits& limits;
    /// The backlog of all these streams together, in bytes. Written by the loop, read by any thread.
    mutable std::atomic<std::uint64_t> backlog{0};
  };

  /// Takes the socket and watches it. With `chunked` every frame is written as a chunk (RFC 9112 §7.1), and a stream
  /// that is finished on purpose ends with the last chunk; the caller's response head must announce that. `host` and
  /// the objects it refers to must outlive the stream. Throws Error(kIo) when epoll refuses.
  Stream(const Host& host, Socket socket, bool chunked = false);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Result of append().
  enum class Append : unsigned char { kTaken, kDropped, kOverflow, kClosed };

  /// Queues a frame; flush() writes it. kOverflow: the backlog limit is exceeded and the caller must close the stream.
  /// REQUIRES: a plain view.
  Append append(const event::FrameRef& frame);
  /// The bytes that append() of this frame adds to the backlog.
  std::size_t size_of(const event::Frame& frame) const { return frame.view(chunked_).size(); }
  /// True when the body is chunked.
  bool chunked() const { return chunked_; }
  /// Writes as much as the socket takes, all queued frames in as few calls as possible.
  void flush();
  /// Writes the backlog, then ends the body and the connection; further frames are refused. The owner gets
  /// stream_closed(reason) when the peer has closed too, or calls abort() after its timeout. With `peer_first` the peer
  /// is expected to close first: our side stays open until it has, or until end() is called.
  void finish(CloseReason reason, bool peer_first = false);
  /// Stops waiting for the peer. Returns true when our side ends now, false when it has ended before.
  bool end();
  /// Closes at once.
  void abort(CloseReason reason);
  /// From now on TCP acknowledgements do not count: frames with a message are sent like all others.
  void ignore_tcp_acknowledgements() { watches_acknowledgements_ = false; }
  /// Checks how much the peer has acknowledged and calls stream_acknowledged() for each message. Returns false when
  /// nothing is left to wait for.
  bool check_acknowledged();

  bool open() const { return fd_.valid() && !finishing_; }
  bool closed() const { return !fd_.valid(); }
  bool awaits_acknowledgement() const { return extra_ != nullptr && !extra_->unacknowledged.empty(); }
  /// All those messages, sorted.
  std::vector<MessageId> carried_messages() const;
  /// Bytes queued and not yet taken by the socket; after the end, the bytes that it never took.
  std::uint64_t backlog_bytes() const { return backlog_; }
  /// Bytes that the socket has taken, response head included; with TLS, before encryption.
  std::uint64_t bytes_sent() const { return sent_; }
  /// The frame that the socket takes next, as it was appended; null when the backlog is empty.
  const event::Frame* oldest_unsent() const { return first_ ? &first_->plain() : nullptr; }
  /// True from the moment the socket refuses bytes until the backlog is empty.
  bool blocked() const { return blocked_; }
  /// When the socket last took bytes, with a resolution of 10 ms.
  SteadyTime last_write() const { return last_write_.at(host_.loop.now()); }
  /// Frees memory that a burst has left.
  void trim();

 private:
  struct Unacknowledged {
    std::uint64_t end = 0;  // in bytes, see position()
    MessageId message;
    event::TargetKind recipient = event::TargetKind::kAll;
  };
  // Exists only for streams with more than one queued frame, with unacknowledged messages, or with TLS.
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
  // Bytes passed to TCP.
  std::uint64_t position() const { return tls() != nullptr ? tls()->wire_bytes() : sent_; }
  void consume(std::size_t bytes);
  void enqueue(const event::Frame& view);
  void pop_first();
  std::size_t queued() const;
  /// Queued or written and not acknowledged; 0 where the client acknowledges itself.
  std::size_t unacknowledged_messages() const;
  void set_blocked(bool blocked);
  void add_to_backlog(std::int64_t change);
  void close(CloseReason reason);

  // A delivery touches one cache line, with room at its end for the flags of a derived class.
  const Host& host_;
  UniqueFd fd_;
  std::uint32_t first_written_ = 0;  // of first_
  event::FrameRef first_;            // like the queue, views that are written as they are
  std::unique_ptr<Extra> extra_;
  std::uint64_t sent_ = 0;
  std::uint32_t backlog_ = 0;
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
