#include "net/passed_sockets.h"

#include <sys/socket.h>

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace sse::net {
namespace {

constexpr int kMaxPassed = 64;

[[noreturn]] void refuse_passed(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "the service manager passed what is no listening socket ($LISTEN_FDS): " +
                                               problem + "; check the ListenStream= lines of the socket unit");
}

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

}  // namespace

std::vector<PassedSocket> passed_sockets(const std::string& count, const std::string& pid, const std::string& names,
                                         int self, int first) {
  if (count.empty() || pid != std::to_string(self)) return {};
  int number = 0;
  const auto [stop, error] = std::from_chars(count.data(), count.data() + count.size(), number);
  if (error != std::errc{} || stop != count.data() + count.size() || number < 0 || number > kMaxPassed)
    refuse_passed("'" + printable(count, 40) + "' is no number from 0 to " + std::to_string(kMaxPassed));
  std::vector<PassedSocket> sockets;
  std::size_t at = 0;
  for (int fd = first; fd < first + number; ++fd) {
    const std::string shown = "descriptor " + std::to_string(fd);
    if (socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1)
      refuse_passed(shown + " is no stream socket that listens");
    const std::size_t end = at <= names.size() ? names.find(':', at) : std::string::npos;
    std::string name = at <= names.size() ? names.substr(at, end == std::string::npos ? end : end - at) : "";
    at = end == std::string::npos ? names.size() + 1 : end + 1;
    const ListenAddress address = ListenAddress::of(fd);
    if (address.host.empty() && !address.is_unix())
      refuse_passed(shown + " is neither IPv4, IPv6 nor a unix socket with a path");
    sockets.push_back({fd, std::move(name), address});
  }
  return sockets;
}

}  // namespace sse::net
