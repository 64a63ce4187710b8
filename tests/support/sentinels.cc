#include "support/sentinels.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace sse::testing {
namespace {

std::string say(int port, const std::string& command) {
  try {
    const UniqueFd fd = connect_to(Endpoint::tcp("127.0.0.1", port));
    write_all(fd.get(), command + "\r\n");
    // A sentinel knows no QUIT, and answers before it sees the end.
    ::shutdown(fd.get(), SHUT_WR);
    return read_to_end(fd.get());
  } catch (const std::exception&) {
    return "";
  }
}

}  // namespace

SentinelGroup::SentinelGroup() {
  servers_[0] = std::make_unique<RedisProcess>();
  servers_[1] = std::make_unique<RedisProcess>(
      std::vector<std::string>{"--replicaof", "127.0.0.1", std::to_string(servers_[0]->port())});
  if (!eventually([&] { return second().say("ROLE").find("connected") != std::string::npos; }))
    throw std::runtime_error("the replica does not connect: " + second().say("INFO replication"));
  for (std::size_t i = 0; i < sentinels_.size(); ++i) {
    sentinels_[i].port = free_port();
    spawn(sentinels_[i], static_cast<int>(i));
  }
  for (const Sentinel& sentinel : sentinels_) {
    if (!eventually([&] { return knows_all(sentinel); }))
      throw std::runtime_error("the sentinels do not find each other: " + say(sentinel.port, "INFO sentinel"));
  }
}

SentinelGroup::~SentinelGroup() {
  for (const Sentinel& sentinel : sentinels_) {
    if (sentinel.pid < 0) continue;
    ::kill(sentinel.pid, SIGKILL);
    ::waitpid(sentinel.pid, nullptr, 0);
  }
}

void SentinelGroup::spawn(Sentinel& sentinel, int number) {
  // A file of its own, into which it writes what it finds out.
  const std::string file = folder_.file("sentinel" + std::to_string(number) + ".conf");
  std::ofstream(file) << "port " << sentinel.port << "\nbind 127.0.0.1\ndir " << folder_.file("") << "\nlogfile "
                      << folder_.file("sentinel.log") << "\nsentinel monitor main 127.0.0.1 " << first().port()
                      << " 2\n"
                      << "sentinel down-after-milliseconds main 2000\nsentinel failover-timeout main 5000\n";
  const pid_t parent = getpid();
  sentinel.pid = fork();
  if (sentinel.pid < 0) throw std::runtime_error("cannot fork");
  if (sentinel.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    execlp("redis-server", "redis-server", file.c_str(), "--sentinel", static_cast<char*>(nullptr));
    _exit(127);
  }
}

bool SentinelGroup::knows_all(const Sentinel& sentinel) const {
  return say(sentinel.port, "INFO sentinel").find("slaves=1,sentinels=3") != std::string::npos;
}

std::string SentinelGroup::url(const std::string& login) const {
  std::string hosts;
  for (const Sentinel& sentinel : sentinels_)
    hosts += (hosts.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(sentinel.port));
  return "redis-sentinel://" + login + hosts + "/main/0";
}

int SentinelGroup::primary_port() const {
  const std::string answer = say(sentinels_[0].port, "SENTINEL get-master-addr-by-name main");
  // *2 $9 127.0.0.1 $5 PORT
  std::size_t at = answer.find("127.0.0.1\r\n$");
  if (at == std::string::npos) return 0;
  at = answer.find("\r\n", at + 12) + 2;
  return std::stoi(answer.substr(at));
}

}  // namespace sse::testing
