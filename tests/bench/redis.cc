#include "redis.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "servers.h"
#include "ssectl/load/peer.h"

namespace sse::bench {

Redis::Redis()
    : port_(free_port()),
      process_({"/usr/bin/redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--daemonize", "no"},
               "Ready to accept connections") {}

std::vector<std::string> Redis::node_options(std::size_t number) const {
  return {"--cluster", url(), "--server-id", "n" + std::to_string(number)};
}

RedisUse Redis::use() const {
  const UniqueFd fd = connect_to_redis(port_);
  send_to_redis(fd.get(), "INFO\r\nQUIT\r\n");
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0) throw system_error(errno, "cannot read from Redis");
    if (n == 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  const auto number = [&](const std::string& name) {
    const std::size_t found = text.find("\n" + name + ":");
    if (found == std::string::npos) throw Error(ErrorCode::kInternal, "INFO of Redis has no " + name);
    return std::strtod(text.c_str() + found + name.size() + 2, nullptr);
  };
  return {number("total_commands_processed"), number("total_net_input_bytes") + number("total_net_output_bytes"),
          process_.cpu_seconds(), number("used_memory"), steady_now()};
}

UniqueFd connect_to_redis(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || load::Peer("127.0.0.1", port).connect(fd.get()) != 0)
    throw system_error(errno, "cannot connect to Redis");
  return fd;
}

void send_to_redis(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) throw system_error(errno, "cannot write to Redis");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace sse::bench
