#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct bio_st;

namespace sse::net {

/// Shortens the next handshake of a client with the same server, whose certificate is then not checked again. It holds
/// secrets of the earlier session. Null: none.
using TlsTicket = std::shared_ptr<ssl_session_st>;

/// One side of TLS on one connected, non-blocking socket, which it uses and does not own. Never blocks, never raises
/// SIGPIPE. One thread at a time, not necessarily always the same.
class TlsSession {
 public:
  /// Most bytes of one write(), and the room that read() should have: otherwise received bytes stay in OpenSSL's
  /// buffer, where epoll does not see them.
  static constexpr std::size_t kMaxRecord = std::size_t{16} * 1024;

  /// The server's side. `context`: of a TlsContext. Throws Error(kInternal) when memory is short.
  TlsSession(ssl_ctx_st* context, int fd);
  /// The client's side. `context`: of a TlsClientContext; `server_name`: a host name or an IP address, which the
  /// certificate of the server must name. `ticket`: of an earlier session with that server, or null.
  TlsSession(ssl_ctx_st* context, int fd, const std::string& server_name, const TlsTicket& ticket = nullptr);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Step : unsigned char { kDone, kWantsRead, kWantsWrite, kFailed };
  /// Continues the handshake as far as the socket allows. After kFailed only problem() may be called.
  Step handshake();
  /// Why the handshake failed, or a read() or write() with EPROTO; for the log.
  const std::string& problem() const { return problem_; }
  enum class Fault : unsigned char {
    kOther,
    kNotTls,         ///< the peer does not speak TLS
    kUntrustedPeer,  ///< the peer has no certificate that is trusted here
    kRefusedByPeer   ///< the peer sent an alert, such as one about the certificate of this side
  };
  /// The kind of problem().
  Fault fault() const { return fault_; }
  /// With kUntrustedPeer: what is wrong with its certificate, X509_V_ERR_…; X509_V_OK: it has none.
  long verify_error() const;
  /// With kRefusedByPeer: the alert, RFC 8446 §6.
  int alert() const { return alert_; }

  /// For the client: a ticket of the server, as soon as one was read; null: none so far.
  TlsTicket ticket() const;
  /// Whether a ticket shortened the handshake.
  bool resumed() const;

  /// As recv(2) with MSG_DONTWAIT: 0 when the peer has closed, with or without close_notify; otherwise -1 with errno
  /// EAGAIN, EPROTO or that of the socket.
  ssize_t read(char* out, std::size_t size);
  /// As send(2), of at most kMaxRecord bytes; -1 with EAGAIN when the socket is full, possibly in the middle of a
  /// record. The next write() must begin with the same bytes, and be at least as long.
  ssize_t write(std::string_view bytes);
  /// Sends close_notify. Returns false when the socket is full: call it again.
  bool end();

  /// Bytes that the socket has taken so far, handshake included. After a successful write() its last byte is the last
  /// byte of the data: it maps a position in the plain text to one in the bytes that TCP acknowledges.
  std::uint64_t wire_bytes() const { return wire_bytes_; }
  /// `TLSv1.3`.
  std::string version() const;

 private:
  friend struct TlsBio;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };

  ssize_t failed(int result);
  void note_fault(unsigned long code);

  const int fd_;
  int socket_error_ = 0;
  bool socket_ended_ = false;
  bool broken_ = false;
  std::uint32_t retry_ = 0;  // bytes of a write() that the socket took in part, or not at all
  std::uint64_t wire_bytes_ = 0;
  std::string problem_;
  Fault fault_ = Fault::kOther;
  int alert_ = 0;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace sse::net
