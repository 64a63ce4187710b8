#pragma once

#include <sys/socket.h>

#include <string>

#include "base/fd.h"

namespace sse::load {

/// The address of a server, resolved once so that many may connect to it.
class Peer {
 public:
  /// A name or an address, an IPv6 one without brackets. Throws Error(kUnavailable) when nobody knows the name.
  Peer(const std::string& host, int port);
  static Peer unix_socket(const std::string& path);

  int family() const { return address_.ss_family; }
  bool is_loopback() const;
  /// As ::connect().
  int connect(int fd) const;

 private:
  Peer() = default;

  sockaddr_storage address_{};
  socklen_t size_ = 0;
};

/// Binds a socket to 127.0.0.1 + `offset` so that connect() picks a port which is free for its destination: one source
/// address has some 28,000 of them and gets slow beyond 14,000. False with errno on failure.
bool bind_source(int fd, unsigned offset);

}  // namespace sse::load
