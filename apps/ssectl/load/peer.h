#pragma once

#include <sys/socket.h>

#include <string>

#include "base/fd.h"

namespace sse::load {

/// The address of a server, resolved once for many connections.
class Peer {
 public:
  /// `host` is a name or an address (IPv6 without brackets). Throws Error(kUnavailable) if the name cannot be resolved.
  Peer(const std::string& host, int port);
  static Peer unix_socket(const std::string& path);

  int family() const { return address_.ss_family; }
  bool is_loopback() const;
  /// Calls ::connect().
  int connect(int fd) const;

 private:
  Peer() = default;

  sockaddr_storage address_{};
  socklen_t size_ = 0;
};

/// Binds a socket to the source address 127.0.0.1 + `offset`; connect() then picks a port that is free for its
/// destination. One source address has some 28,000 ports and gets slow beyond 14,000. False with errno on failure.
bool bind_source(int fd, unsigned offset);

}  // namespace sse::load
