#include "api/address.h"

#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace sse::api {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";
constexpr std::size_t kNameBuffer = std::size_t{64} * 1024;
constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un{}.sun_path) - 1;

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, "'" + printable(text) + "' is not a server address: " + why +
                                               "; give unix:PATH, http://HOST:PORT or https://HOST:PORT");
}

std::uint16_t parse_port(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0)
    refuse(whole, "the port is not 1 to 65535");
  return port;
}

// Returns the errno of connecting, 0 on success.
int try_connect(const sockaddr* name, socklen_t size, std::chrono::milliseconds timeout) {
  const UniqueFd fd(socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  if (connect(fd.get(), name, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{fd.get(), POLLOUT, 0};
  if (poll(&wait, 1, static_cast<int>(timeout.count())) <= 0) return ETIMEDOUT;
  int reason = 0;
  socklen_t length = sizeof(reason);
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &reason, &length);
  return reason;
}

std::string sentence(int reason) {
  return reason == 0 ? "" : std::generic_category().message(reason);
}

std::string user_name(uid_t uid) {
  std::vector<char> buffer(kNameBuffer);
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
  std::vector<char> buffer(kNameBuffer);
  group entry{};
  group* found = nullptr;
  getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->gr_name : std::to_string(gid);
}

// `by_group`, `by_others`: the bits of the mode that would let them.
std::string who_may(const std::string& path, mode_t by_group, mode_t by_others, const std::string& what) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "this user may not " + what;
  const std::string user = "the user '" + user_name(status.st_uid) + "'";
  // An access list or a security module may deny what the mode allows.
  if ((status.st_mode & by_others) != 0) return "this user may not " + what + ", although its mode allows it";
  if ((status.st_mode & by_group) == 0) return "only " + user + " may " + what;
  const std::string name = group_name(status.st_gid);
  return "only " + user + " and the members of the group '" + name + "' may " + what +
         "; join the group (sudo adduser " + user_name(getuid()) + " " + name + "), and log in again";
}

}  // namespace

Address parse_address(std::string_view text) {
  Address address;
  if (text.starts_with(kUnix)) {
    address.path = text.substr(kUnix.size());
    if (address.path.empty()) refuse(text, "the path is missing");
    if (address.path.size() > kMaxPathBytes) {
      refuse(text, "the path of a unix socket has at most " + std::to_string(kMaxPathBytes) + " bytes");
    }
    return address;
  }
  address.tls = text.starts_with(kHttps);
  if (!address.tls && !text.starts_with(kHttp)) refuse(text, "it does not start with unix:, http:// or https://");
  std::string_view rest = text.substr((address.tls ? kHttps : kHttp).size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) refuse(text, "only a host and a port are allowed");
  std::size_t host_end = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) refuse(text, "the ']' is missing");
    address.host = rest.substr(1, bracket - 1);
    rest.remove_prefix(bracket + 1);
    if (!rest.empty() && rest.front() != ':') refuse(text, "the port does not follow the host");
    host_end = rest.empty() ? std::string_view::npos : 0;
  } else {
    address.host = rest.substr(0, host_end);
    if (address.host.find(':') != std::string::npos) refuse(text, "an IPv6 address goes in brackets, as [::1]");
  }
  if (address.host.empty()) refuse(text, "the host is missing");
  const std::uint16_t usual = address.tls ? 443 : 80;
  address.port = host_end == std::string_view::npos ? usual : parse_port(rest.substr(host_end + 1), text);
  return address;
}

std::string connect_error(const Address& address, std::chrono::milliseconds timeout) {
  if (address.is_unix()) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.path.data(), std::min(address.path.size(), kMaxPathBytes));
    return sentence(try_connect(reinterpret_cast<const sockaddr*>(&name), sizeof(name), timeout));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failed != 0) return failed == EAI_SYSTEM ? sentence(errno) : gai_strerror(failed);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  int reason = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    reason = try_connect(one->ai_addr, one->ai_addrlen, timeout);
    if (reason == 0) return "";
  }
  return sentence(reason);
}

std::string missing_permission(const Address& address) {
  if (!address.is_unix()) return "";
  // Folders from the outermost on: nothing behind one that may not be entered can be seen.
  for (std::size_t slash = address.path.find('/', 1); slash != std::string::npos;
       slash = address.path.find('/', slash + 1)) {
    const std::string folder = address.path.substr(0, slash);
    if (::access(folder.c_str(), X_OK) != 0 && errno == EACCES)
      return who_may(folder, S_IXGRP, S_IXOTH, "enter the folder " + folder);
  }
  if (::access(address.path.c_str(), W_OK) == 0 || errno != EACCES) return "";
  return who_may(address.path, S_IWGRP, S_IWOTH, "connect");
}

}  // namespace sse::api
