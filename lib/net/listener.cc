#include "net/listener.h"

#include <arpa/inet.h>
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
#include <cstring>
#include <memory>

#include "base/error.h"
#include "net/peer_address.h"

namespace sse::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kSendBuffer = 128 * 1024;
constexpr unsigned kUserTimeoutMillis = 60'000;

int bound_port(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
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

bool ListenAddress::is_loopback() const {
  const std::string numeric = normalized_address(host);
  return is_unix() || numeric.starts_with("127.") || numeric == "::1" || host == "localhost";
}

std::string ListenAddress::str() const {
  if (is_unix()) return "unix:" + path;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Listener::Listener(const ListenAddress& address, const std::string& option) : address_(address) {
  if (address_.is_unix()) {
    listen_unix(option);
  } else {
    listen_tcp(option);
  }
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
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMillis, sizeof kUserTimeoutMillis);
  if (::bind(fd_.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd_.get(), kBacklog) != 0) {
    const int error = errno;
    const std::string advice =
        error == EADDRINUSE ? "; another program listens there, choose another with " : "; check ";
    const Error plain = system_error(error, "cannot listen on " + address_.str());
    throw Error(plain.code(), plain.what() + advice + option);
  }
  if (address_.port == 0) address_.port = bound_port(fd_.get());
}

void Listener::listen_unix(const std::string& option) {
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
  // Not connectable before listen(), so that no client can connect between bind() and chmod().
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
      ::chmod(address_.path.c_str(), 0600) != 0 || ::listen(fd_.get(), kBacklog) != 0) {
    const Error plain = system_error(errno, what);
    throw Error(plain.code(), std::string(plain.what()) + "; choose another place with " + option);
  }
}

}  // namespace sse::net
