#include "support/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace sse::testing {
namespace {

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw std::system_error(EINVAL, std::generic_category(), "not an IPv4 address: " + host);
  return address;
}

void check(int result, const char* what) {
  if (result != 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

UniqueFd connect_to(const Endpoint& endpoint, const ConnectOptions& options) {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (options.blocking ? 0 : SOCK_NONBLOCK);
  const bool local = !endpoint.path.empty();
  UniqueFd fd(::socket(local ? AF_UNIX : AF_INET, type, 0));
  check(fd.valid() ? 0 : -1, "socket");
  const int on = 1;
  if (options.receive_buffer != 0) {
    check(setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof(int)), "SO_RCVBUF");
  }
  if (local) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    endpoint.path.copy(name.sun_path, sizeof name.sun_path - 1);
    check(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), "connect to the unix socket");
    return fd;
  }
  check(setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  if (!options.source.empty()) {
    // The port is then chosen by connect(), which knows the other end: bind() would run out of them far earlier.
    check(setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on), "IP_BIND_ADDRESS_NO_PORT");
    const sockaddr_in source = address_of(options.source, 0);
    check(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source), "bind");
  }
  const sockaddr_in target = address_of(endpoint.host, endpoint.port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 && errno != EINPROGRESS)
    check(-1, "connect");
  return fd;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

long read_some(int fd, std::string& into, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return -1;
    std::array<char, 64 * 1024> buffer;
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
    return n;
  }
}

std::string read_to_end(int fd, bool* ended, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string text;
  long n = 0;
  while ((n = read_some(fd, text, deadline)) > 0) {
  }
  // A reset is an end, too.
  if (ended != nullptr) *ended = n == 0 || std::chrono::steady_clock::now() < deadline;
  return text;
}

UniqueFd listen_on_free_port(int& port) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener.get(), 64) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
  return listener;
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), "SO_LINGER");
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace sse::testing
