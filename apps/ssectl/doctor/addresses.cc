#include "ssectl/doctor/addresses.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "auth/trusted_proxies.h"
#include "net/peer_address.h"

namespace sse::ctl {
AddressList resolve(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), port.empty() ? nullptr : port.c_str(), &hints, &list) != 0) return nullptr;
  return AddressList(list);
}

UniqueFd connect_to(const api::Address& address, const std::string& local_address, std::chrono::milliseconds timeout,
                    std::string& error) {
  const AddressList remote = resolve(address.host, std::to_string(address.port), 0);
  if (remote == nullptr) {
    error = "no such host";
    return {};
  }
  const AddressList local = local_address.empty() ? nullptr : resolve(local_address, "", AI_NUMERICHOST);
  const timeval limit{static_cast<time_t>(timeout.count() / 1000),
                      static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  for (const addrinfo* to = remote.get(); to != nullptr; to = to->ai_next) {
    UniqueFd fd(socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) continue;
    // The first one limits connect(2), too.
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (local != nullptr && bind(fd.get(), local->ai_addr, local->ai_addrlen) != 0) {
      error = std::string("cannot connect from the given local address: ") + std::strerror(errno);
      continue;
    }
    if (connect(fd.get(), to->ai_addr, to->ai_addrlen) == 0) return fd;
    error = errno == EINPROGRESS ? "the connection was not accepted in time" : std::strerror(errno);
  }
  return {};
}

std::string own_address_towards(const api::Address& host) {
  const AddressList list = resolve(host.host, std::to_string(host.port));
  if (list == nullptr) return "";
  // Connecting a datagram socket sends nothing; it only chooses the route.
  const int fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  std::string address;
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (connect(fd, list->ai_addr, list->ai_addrlen) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length) == 0)
    address = net::address_of(own);
  close(fd);
  return address;
}

bool is_internal_address(const std::string& address) {
  static const auth::TrustedProxies internal({"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                              "169.254.0.0/16", "100.64.0.0/10", "::1", "fe80::/10", "fc00::/7"});
  return internal.contains(address);
}

}  // namespace sse::ctl
