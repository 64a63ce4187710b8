#include "net/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace sse::net {
namespace {

constexpr std::size_t kMaxShownAddress = 200;

struct FreeAddress {
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

}  // namespace

UniqueFd begin_connect(const std::string& address, std::uint16_t port, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    why = "'" + printable(address, kMaxShownAddress) + "' is no address";
    return {};
  }
  const std::unique_ptr<addrinfo, FreeAddress> found(list);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid() || (::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
    why = std::generic_category().message(errno);
    return {};
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace sse::net
