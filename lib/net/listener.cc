#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "net/peer_address.h"

namespace sse::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kSendBuffer = 128 * 1024;
constexpr unsigned kUserTimeoutMillis = 60'000;

// Inherited by the accepted sockets. A kernel that refuses one of them serves, only less well.
void set_tcp_options(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMillis, sizeof kUserTimeoutMillis);
}

// Gives the file to a group, whose members may then connect.
void set_group(const std::string& path, const SocketAccess& access) {
  std::vector<char> buffer(64 * 1024);
  struct group entry {};
  struct group* found = nullptr;
  getgrnam_r(access.group.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    throw Error(ErrorCode::kInvalidArgument, access.option + ": there is no group '" + printable(access.group, 60) +
                                                 "' on this machine; create it (groupadd) or name another");
  }
  if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
    const Error plain =
        system_error(errno, access.option + ": cannot give " + path + " to the group '" + access.group + "'");
    throw Error(plain.code(), std::string(plain.what()) + "; the user of the server must be a member of the group");
  }
}

}  // namespace

ListenAddress ListenAddress::parse(const std::string& text) {
  ListenAddress address;
  if (text.starts_with("unix:")) {
    address.path = text.substr(5);
    if (address.path.empty())
      throw Error(ErrorCode::kInvalidArgument, "'unix:' names no path; write unix:/run/me/admin.sock");
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
      throw Error(ErrorCode::kInvalidArgument, "the socket path '" + address.path +
                                                   "' is too long: a unix socket path has at most " +
                                                   std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
    }
    return address;
  }
  const std::size_t colon = text.rfind(':');
  const char* end = text.data() + text.size();
  if (colon != std::string::npos && colon > 0) {
    address.host = text.substr(0, colon);
    if (address.host.front() == '[' && address.host.back() == ']')
      address.host = address.host.substr(1, address.host.size() - 2);
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error == std::errc{} && stop == end && address.port >= 0 && address.port <= 65535) return address;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      "'" + text + "' is not an address; write ADDRESS:PORT such as 127.0.0.1:8080, or unix:PATH where allowed");
}

ListenAddress ListenAddress::of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ListenAddress address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return address;
  address.host = address_of(bound);
  if (bound.ss_family == AF_INET) address.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  if (bound.ss_family == AF_INET6) address.port = ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  if (bound.ss_family == AF_UNIX) {
    const auto& name = reinterpret_cast<const sockaddr_un&>(bound);
    // Empty for an abstract name, which begins with a null byte.
    address.path.assign(name.sun_path, strnlen(name.sun_path, size - offsetof(sockaddr_un, sun_path)));
  }
  return address;
}

bool ListenAddress::is_loopback() const {
  const std::string numeric = normalized_address(host);
  return is_unix() || numeric.starts_with("127.") || numeric == "::1" || host == "localhost";
}

std::string ListenAddress::str() const {
  if (is_unix()) return "unix:" + path;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Listener::Listener(const ListenAddress& address, const std::string& option, const SocketAccess& access)
    : address_(address) {
  if (address_.is_unix()) {
    listen_unix(option, access);
  } else {
    listen_tcp(option);
  }
}

Listener::Listener(UniqueFd socket) : address_(ListenAddress::of(socket.get())), fd_(std::move(socket)) {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd_.get(), F_SETFD, FD_CLOEXEC) != 0) {
    throw system_error(errno, "cannot use the passed socket " + address_.str());
  }
  if (!address_.is_unix()) set_tcp_options(fd_.get());
}

Listener::~Listener() {
  // The file must be removed before the lock is released.
  if (lock_) ::unlink(address_.path.c_str());
}

void Listener::listen_tcp(const std::string& option) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address_.port);
  if (const int error = getaddrinfo(address_.host.c_str(), port.c_str(), &hints, &found); error != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "cannot resolve '" + address_.host + "': " + gai_strerror(error) + "; check " + option);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, freeaddrinfo);
  fd_.reset(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.valid()) throw system_error(errno, "cannot create a socket for " + address_.str());
  const int on = 1;
  setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  set_tcp_options(fd_.get());
  if (::bind(fd_.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd_.get(), kBacklog) != 0) {
    const int error = errno;
    const std::string advice =
        error == EADDRINUSE ? "; another program listens there, choose another with " : "; check ";
    const Error plain = system_error(error, "cannot listen on " + address_.str());
    throw Error(plain.code(), plain.what() + advice + option);
  }
  if (address_.port == 0) address_.port = ListenAddress::of(fd_.get()).port;
}

void Listener::listen_unix(const std::string& option, const SocketAccess& access) {
  const std::string what = "cannot listen on " + address_.str();
  // The lock, not the file, shows whether a server is alive: a file may outlive its server, a lock cannot.
  lock_ = std::make_unique<LockFile>(
      address_.path + ".lock",
      LockFile::LockErrors{what, "choose another place with " + option, [&](const std::string& holder) {
                             return what + ": another server" + holder +
                                    " listens there; stop it or choose another with " + option;
                           }});
  struct stat status {};
  if (::lstat(address_.path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      lock_.reset();
      throw Error(ErrorCode::kConflict,
                  what + ": a file that is not a socket is there; remove it or choose another with " + option);
    }
    ::unlink(address_.path.c_str());
  }
  fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.valid()) throw system_error(errno, what);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address_.path.c_str(), address_.path.size() + 1);
  const auto check = [&](int result) {
    if (result == 0) return;
    const Error plain = system_error(errno, what);
    throw Error(plain.code(), std::string(plain.what()) + "; choose another place with " + option);
  };
  // Not connectable before listen(), so that no client can connect before the file has its group and mode.
  check(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name));
  if (!access.group.empty()) set_group(address_.path, access);
  check(::chmod(address_.path.c_str(), access.mode));
  check(::listen(fd_.get(), kBacklog));
}

}  // namespace sse::net
