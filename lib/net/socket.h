#pragma once

#include <sys/socket.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "net/tls_session.h"

namespace sse::net {

/// A connected, non-blocking socket and, for a TLS peer, its session. Movable. One thread at a time.
struct Socket {
  Socket() = default;
  Socket(UniqueFd descriptor, std::unique_ptr<TlsSession> session = nullptr)  // NOLINT(google-explicit-constructor)
      : fd(std::move(descriptor)), tls(std::move(session)) {}

  bool valid() const { return fd.valid(); }
  /// As recv(2). `size`: at least TlsSession::kMaxRecord.
  ssize_t receive(char* out, std::size_t size) {
    return tls ? tls->read(out, size) : ::recv(fd.get(), out, size, MSG_DONTWAIT);
  }
  /// As send(2), except that with TLS it may take only a part although there is room, and that the caller must offer
  /// the bytes that were not taken again.
  ssize_t send(std::string_view bytes) {
    return tls ? tls->write(bytes) : ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  UniqueFd fd;
  std::unique_ptr<TlsSession> tls;
};

}  // namespace sse::net
