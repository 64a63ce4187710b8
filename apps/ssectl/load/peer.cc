#include "ssectl/load/peer.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "base/error.h"

namespace sse::load {

Peer::Peer(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    throw Error(ErrorCode::kUnavailable, "cannot find the host '" + host + "': " + gai_strerror(error));
  }
  size_ = found->ai_addrlen;
  std::memcpy(&address_, found->ai_addr, size_);
  freeaddrinfo(found);
}

Peer Peer::unix_socket(const std::string& path) {
  Peer peer;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  peer.size_ = sizeof name;
  std::memcpy(&peer.address_, &name, sizeof name);
  return peer;
}

bool Peer::is_loopback() const {
  const auto* name = reinterpret_cast<const sockaddr_in*>(&address_);
  return family() == AF_INET && ntohl(name->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int Peer::connect(int fd) const {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address_), size_);
}

bool bind_source(int fd, unsigned offset) {
  const int on = 1;
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset);
  return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
         ::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0;
}

}  // namespace sse::load
