#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;
struct bio_st;

namespace sse::net {

/// The server's side of TLS on one connected, non-blocking socket, which it uses and does not own. Never blocks, never
/// raises SIGPIPE. One thread at a time; not necessarily the same.
class TlsSession {
 public:
  /// Most bytes of one write(), and what read() should have room for: then nothing that has arrived is left in here,
  /// where epoll does not see it.
  static constexpr std::size_t kMostRecord = std::size_t{16} * 1024;

  /// `context`: of TlsContext. Throws Error(kInternal) when memory is short.
  TlsSession(ssl_ctx_st* context, int fd);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Step : unsigned char { kDone, kWantsRead, kWantsWrite, kFailed };
  /// Goes on with the handshake as far as the socket allows. After kFailed only problem() may be called.
  Step handshake();
  /// Why the handshake, or a read() or write() with EPROTO, has failed; for the log.
  const std::string& problem() const { return problem_; }

  /// As recv(2) with MSG_DONTWAIT: 0 when the peer has ended, with or without saying so; else -1 with errno EAGAIN,
  /// EPROTO, or what the socket says.
  ssize_t read(char* out, std::size_t size);
  /// As send(2), of at most kMostRecord bytes; -1 with EAGAIN when the socket is full, possibly in the midst of a
  /// record. The next write() must then begin with the same bytes, and be at least as long.
  ssize_t write(std::string_view bytes);
  /// Tells the peer that nothing more will come. False when the socket is too full for that: call it again.
  bool end();

  /// Bytes the socket has taken so far, handshake included. After a successful write() its last byte is the last of
  /// what was written: so a position in the plain text becomes one in what TCP acknowledges.
  std::uint64_t wire_bytes() const { return wire_bytes_; }
  /// `TLSv1.3`.
  std::string version() const;

 private:
  friend struct TlsBio;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };

  ssize_t failed(int result);

  const int fd_;
  int socket_error_ = 0;
  bool socket_ended_ = false;
  bool broken_ = false;
  std::uint32_t retry_ = 0;  // bytes of a write() that the socket took in part, or not at all
  std::uint64_t wire_bytes_ = 0;
  std::string problem_;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace sse::net
