#include "base/notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace sse {

NotifySocket::NotifySocket(std::string address) : address_(std::move(address)) {
  if (address_.empty()) return;
  const bool known = address_.front() == '/' || address_.front() == '@';
  if (!known || address_.size() < 2 || address_.size() >= sizeof(sockaddr_un::sun_path)) {
    throw Error(ErrorCode::kInvalidArgument, "$NOTIFY_SOCKET is '" + printable(address_, 120) +
                                                 "', which is no path of a unix socket and no abstract name; unset it "
                                                 "if no service manager started this program");
  }
}

void NotifySocket::send(const std::string& lines) const {
  if (!open()) return;
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw system_error(errno, "cannot create a socket for $NOTIFY_SOCKET");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::copy(address_.begin(), address_.end(), name.sun_path);
  // unix(7): an abstract name begins with a null byte and has no terminator.
  const bool abstract = address_.front() == '@';
  if (abstract) name.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size() + (abstract ? 0 : 1));
  // A manager that does not read must not block the caller.
  if (::sendto(fd.get(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&name), size) < 0) {
    throw system_error(errno, "cannot notify the service manager at $NOTIFY_SOCKET (" + printable(address_, 120) + ")");
  }
}

std::optional<std::chrono::microseconds> watchdog_interval(const std::string& microseconds, const std::string& pid,
                                                           int self) {
  if (microseconds.empty() || (!pid.empty() && pid != std::to_string(self))) return std::nullopt;
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(microseconds.data(), microseconds.data() + microseconds.size(), number);
  if (error != std::errc{} || stop != microseconds.data() + microseconds.size() || number <= 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "$WATCHDOG_USEC is '" + printable(microseconds, 40) + "', which is no number of microseconds above 0");
  }
  return std::chrono::microseconds(number);
}

}  // namespace sse
