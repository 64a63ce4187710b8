#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/redis/redis_link.h"
#include "observe/barrier.h"

// The part of RedisLink that connects and logs in.
namespace sse::cluster {
namespace {

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

}  // namespace

std::string RedisLink::connect(RedisReader& reader) {
  net::Socket socket;
  reader.reset();
  std::string why;
  try {
    why = dial(socket);
  } catch (const Error& e) {
    why = e.what();  // a file of the TLS options
  }
  if (why.empty()) why = log_in(socket, reader);
  const bool good = why.empty();
  {
    const MutexLock lock(mutex_);
    why_down_ = why;
    refused_login_ = why.starts_with("it refused the login");
    if (good) {
      socket_ = std::move(socket);
      moved_ = false;
      up_.store(true, std::memory_order_release);
    }
    changed_.notify_all();
  }
  if (good && listener_ != nullptr) observe::guarded("after connecting to Redis", [this] { listener_->link_up(); });
  return why;
}

bool RedisLink::wait_for(int fd, short events, SteadyTime deadline, const UniqueFd& wakeup) const {
  std::array<pollfd, 2> fds{{{fd, events, 0}, {wakeup.get(), POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(clock_.wait_time(deadline).count()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && fds[0].revents != 0) return true;
    if (ready > 0) take_kicks(wakeup);
    if (stopping()) return false;
    if (clock_.steady_now() >= deadline) return false;
  }
}

std::string RedisLink::dial(net::Socket& socket) {
  const RedisAddress& address = options_.address;
  if (!address.path.empty()) return dial_path(socket);
  Host host{address.host, address.port};
  if (!address.sentinels.empty()) {
    if (std::string why = find_primary(host, wakeup_); !why.empty()) return why;
    const MutexLock lock(mutex_);
    primary_ = host;
  }
  std::string why = dial_host(host, socket, wakeup_);
  if (why.empty() && address.tls) why = shake_hands(host.first, socket, wakeup_);
  if (why.empty() || address.sentinels.empty()) return why;
  return "the primary " + host.first + ":" + std::to_string(host.second) + " that its sentinels name: " + why;
}

// Waits until a socket is connected; `error`: of connect(2), or 0.
std::string RedisLink::finish_connect(int fd, int error, const UniqueFd& wakeup) const {
  if (error == EINPROGRESS) {
    socklen_t size = sizeof error;
    if (!wait_for(fd, POLLOUT, clock_.steady_now() + options_.connect_timeout, wakeup)) {
      error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      error = errno;
    }
  }
  return error == 0 ? "" : error_text(error);
}

std::string RedisLink::dial_path(net::Socket& socket) const {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  const std::string& path = options_.address.path;
  std::copy_n(path.begin(), std::min(path.size(), sizeof at.sun_path - 1), at.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return error_text(errno);
  const int error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? 0 : errno;
  std::string why = finish_connect(fd.get(), error, wakeup_);
  if (why.empty()) socket.fd = std::move(fd);
  return why;
}

// Tries each address of the host; returns the reason of the last failure if all fail.
std::string RedisLink::dial_host(const Host& host, net::Socket& socket, const UniqueFd& wakeup) const {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  Addresses found;
  const int failed = getaddrinfo(host.first.c_str(), std::to_string(host.second).c_str(), &wanted, &found.first);
  if (failed != 0) return gai_strerror(failed);
  std::string why = "it has no address";
  for (const addrinfo* one = found.first; one != nullptr; one = one->ai_next) {
    UniqueFd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    if (!fd.valid()) {
      why = error_text(errno);
      continue;
    }
    const int error = ::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    why = finish_connect(fd.get(), error, wakeup);
    if (!why.empty()) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket.fd = std::move(fd);
    return "";
  }
  return why;
}

std::string RedisLink::shake_hands(const std::string& host, net::Socket& socket, const UniqueFd& wakeup) const {
  using Step = net::TlsSession::Step;
  const SteadyTime deadline = clock_.steady_now() + options_.answer_timeout;
  secure(socket, options_.tls, host);
  for (;;) {
    const Step step = socket.tls->handshake();
    if (step == Step::kDone) return "";
    if (step == Step::kFailed) return "TLS: " + printable(socket.tls->problem());
    if (!wait_for(socket.fd.get(), step == Step::kWantsRead ? POLLIN : POLLOUT, deadline, wakeup))
      return "it accepted the connection but no TLS within " + format_duration(options_.answer_timeout);
  }
}

// Sends commands and waits for the replies to all; returns the reason if they do not come.
std::string RedisLink::exchange(net::Socket& socket, RedisReader& reader, const std::vector<RedisCommand>& commands,
                                std::vector<RedisReply>& replies, const UniqueFd& wakeup) const {
  std::string bytes;
  for (const RedisCommand& command : commands) append_command(bytes, command);
  // With TLS 1.3 a server says only now that it does not accept the certificate of this program, or just ends.
  const auto ended = [&socket](const std::string& why) {
    if (!socket.tls) return why;
    const std::string& problem = socket.tls->problem();
    return "TLS: " + (problem.empty() ? why : problem) + "; if it asks for a certificate, give --cluster-cert";
  };
  // A new connection takes a few hundred bytes at once.
  if (socket.send(bytes) != static_cast<ssize_t>(bytes.size())) return ended("it does not accept the login");
  const SteadyTime deadline = clock_.steady_now() + options_.answer_timeout;
  std::vector<char> buffer(net::TlsSession::kMaxRecord);
  const std::size_t wanted = replies.size() + commands.size();
  while (replies.size() < wanted) {
    const ssize_t n = socket.receive(buffer.data(), buffer.size());
    if (n == 0) return ended("it closed the connection at once");
    if (n < 0 && errno != EAGAIN && errno != EINTR) return ended(error_text(errno));
    if (n > 0 && !reader.feed(buffer.data(), static_cast<std::size_t>(n), replies))
      return "the server there is not Redis: it " + reader.problem();
    if (n > 0) continue;
    if (!wait_for(socket.fd.get(), POLLIN, deadline, wakeup))
      return "it accepted the connection but did not answer within " + format_duration(options_.answer_timeout);
  }
  return "";
}

RedisCommand RedisLink::login() const {
  const RedisAddress& address = options_.address;
  if (address.user.empty()) return {"AUTH", address.password};
  return {"AUTH", address.user, address.password};
}

std::string RedisLink::log_in(net::Socket& socket, RedisReader& reader) const {
  std::vector<RedisCommand> commands;
  const RedisAddress& address = options_.address;
  if (!address.password.empty()) commands.push_back(login());
  commands.push_back({"CLIENT", "SETNAME", options_.name});
  commands.push_back({"SELECT", std::to_string(address.database)});
  if (!address.sentinels.empty()) commands.push_back({"ROLE"});
  if (!options_.greeting.empty()) commands.push_back(options_.greeting);
  // Checks that Redis accepts commands: it refuses PING without a login, and while it loads its data.
  commands.push_back({"PING"});
  std::vector<RedisReply> replies;
  if (std::string why = exchange(socket, reader, commands, replies, wakeup_); !why.empty()) return why;
  for (const RedisReply& reply : replies) {
    if (!reply.is_error()) continue;
    const bool login = reply.text.starts_with("NOAUTH") || reply.text.starts_with("WRONGPASS") ||
                       reply.text.starts_with("NOPERM") || reply.text.starts_with("ERR AUTH") ||
                       reply.text.starts_with("ERR invalid password");
    return (login ? "it refused the login: " : "it replied: ") + printable(reply.text);
  }
  const std::size_t greeting = replies.size() - 2;
  if (!address.sentinels.empty()) {
    const RedisReply& role = replies[options_.greeting.empty() ? greeting : greeting - 1];
    // The sentinels have not noticed yet, or are about to promote it.
    if (role.list.empty() || role.list.front().text != "master") return "its sentinels name a server that is a replica";
  }
  if (options_.on_greeting) observe::guarded("the greeting of Redis", [&] { options_.on_greeting(replies[greeting]); });
  return "";
}

}  // namespace sse::cluster
