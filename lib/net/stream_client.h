#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/chunk_reader.h"
#include "net/event_loop.h"
#include "net/socket.h"
#include "net/tls_client_context.h"

namespace sse::net {

/// What a StreamClient requests.
struct StreamRequest {
  std::string host;  ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;  ///< path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers{};
  std::shared_ptr<const TlsClientContext> tls{};  ///< null: plain HTTP
};

/// A client of event streams over HTTP/1.1 that never blocks: one stream at a time, on the loop of its owner, which
/// limits the time. It follows no redirect and holds no more than kMaxResponseHead of a response: the body goes to the
/// owner as it arrives. Loop thread only, except the constructor.
class StreamClient final : private EventLoop::Handler {
 public:
  static constexpr std::size_t kMaxResponseHead = std::size_t{16} * 1024;
  /// Most bytes of one Owner::stream_bytes().
  static constexpr std::size_t kMaxPiece = TlsSession::kMaxRecord;

  /// Called on the loop, possibly from within open(). It may call close(), and open() only later.
  class Owner {
   public:
    /// An event stream begins. `server_id`: of X-Sse-Server-Id, printable; empty: the response has none.
    virtual void stream_begun(const std::string& server_id) = 0;
    /// A part of its decoded body.
    virtual void stream_bytes(std::string_view bytes) = 0;
    /// The stream has ended, or could not be opened. `why`: a phrase for people. Not called after close().
    virtual void stream_ended(const std::string& why) = 0;

   protected:
    ~Owner() = default;
  };

  /// References must outlive this.
  StreamClient(EventLoop& loop, StreamRequest request, Owner& owner);
  /// REQUIRES: the loop has stopped, or close() was called.
  ~StreamClient();
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  /// Connects to the first of these addresses of the host, all numeric, that accepts a connection. Ends an earlier
  /// stream.
  void open(std::vector<std::string> addresses);
  void close();
  bool is_open() const { return state_ != State::kClosed; }

 private:
  enum class State : unsigned char { kClosed, kConnecting, kHandshake, kSending, kReading };

  // EventLoop::Handler
  void on_events(std::uint32_t events) override;

  void dial();
  std::string begin_connect(const std::string& address);
  void finish_connect();
  void continue_handshake();
  void send_request();
  void receive();
  void take(std::string_view bytes);
  /// Reads the head of a response, without its last empty line. Returns why it is no event stream; empty if it is one.
  std::string read_head(std::string_view head);
  void take_body(std::string_view bytes);
  void fail(const std::string& why);
  std::string reason(int error) const;

  EventLoop& loop_;
  const StreamRequest request_;
  const std::string request_text_;
  Owner& owner_;

  // Loop thread only.
  State state_ = State::kClosed;
  std::vector<std::string> addresses_;
  std::size_t next_address_ = 0;
  Socket socket_;
  std::string_view unsent_;  // of request_text_
  std::string head_;         // as far as received
  bool begun_ = false;       // the head is complete
  bool chunked_ = false;
  event::ChunkReader chunks_;
  std::string server_id_;
};

}  // namespace sse::net
