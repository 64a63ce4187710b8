#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

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
  UniqueFd fd;
  reader.reset();
  std::string why = dial(fd);
  if (why.empty()) why = log_in(fd.get(), reader);
  const bool good = why.empty();
  {
    const MutexLock lock(mutex_);
    why_down_ = why;
    refused_login_ = why.starts_with("it refused the login");
    if (good) {
      socket_ = std::move(fd);
      up_.store(true, std::memory_order_release);
    }
    changed_.notify_all();
  }
  if (good && listener_ != nullptr) observe::guarded("after connecting to Redis", [this] { listener_->link_up(); });
  return why;
}

bool RedisLink::wait_for(int fd, short events, SteadyTime deadline) const {
  std::array<pollfd, 2> fds{{{fd, events, 0}, {wakeup_.get(), POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(clock_.wait_time(deadline).count()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && fds[0].revents != 0) return true;
    if (ready > 0) take_kicks();
    if (stopping()) return false;
    if (clock_.steady_now() >= deadline) return false;
  }
}

// Tries each address of the host; returns the reason of the last failure if all fail.
std::string RedisLink::dial(UniqueFd& socket) const {
  const RedisAddress& address = options_.address;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  Addresses found;
  const int failed = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &found.first);
  if (failed != 0) return gai_strerror(failed);
  std::string why = "it has no address";
  for (const addrinfo* one = found.first; one != nullptr; one = one->ai_next) {
    UniqueFd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    if (!fd.valid()) {
      why = reason_of(errno);
      continue;
    }
    int error = ::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      if (!wait_for(fd.get(), POLLOUT, clock_.steady_now() + options_.connect_timeout)) {
        error = ETIMEDOUT;
      } else if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
      }
    }
    if (error != 0) {
      why = reason_of(error);
      continue;
    }
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket = std::move(fd);
    return "";
  }
  return why;
}

std::string RedisLink::log_in(int fd, RedisReader& reader) const {
  std::vector<RedisCommand> commands;
  const RedisAddress& address = options_.address;
  if (!address.password.empty()) {
    commands.push_back(address.user.empty() ? RedisCommand{"AUTH", address.password}
                                            : RedisCommand{"AUTH", address.user, address.password});
  }
  commands.push_back({"CLIENT", "SETNAME", options_.name});
  commands.push_back({"SELECT", std::to_string(address.database)});
  // Checks that Redis accepts commands: it refuses PING without a login, and while it loads its data.
  commands.push_back({"PING"});
  std::string bytes;
  for (const RedisCommand& command : commands) append_command(bytes, command);
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    return "it does not accept the login";
  const SteadyTime deadline = clock_.steady_now() + options_.answer_timeout;
  std::vector<RedisReply> replies;
  std::array<char, 4096> buffer{};
  while (replies.size() < commands.size()) {
    if (!wait_for(fd, POLLIN, deadline))
      return "it accepted the connection but did not answer within " + format_duration(options_.answer_timeout);
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n == 0) return "it closed the connection at once";
    if (n < 0 && errno != EAGAIN && errno != EINTR) return reason_of(errno);
    if (n > 0 && !reader.feed(buffer.data(), static_cast<std::size_t>(n), replies))
      return "the server there is not Redis: it " + reader.problem();
  }
  for (const RedisReply& reply : replies) {
    if (!reply.is_error()) continue;
    const bool login = reply.text.starts_with("NOAUTH") || reply.text.starts_with("WRONGPASS") ||
                       reply.text.starts_with("NOPERM") || reply.text.starts_with("ERR AUTH") ||
                       reply.text.starts_with("ERR invalid password");
    return (login ? "it refused the login: " : "it replied: ") + printable(reply.text);
  }
  return "";
}

}  // namespace sse::cluster
