#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "support/process.h"

namespace sse::testing {

/// A private redis-server on a free port of 127.0.0.1; killed when this is destroyed. Start it from a thread that lives
/// as long. It keeps an append-only file that is on disk before a command is answered.
class RedisProcess {
 public:
  /// Returns when it answers; throws std::runtime_error with its log when it does not.
  explicit RedisProcess(std::vector<std::string> options = {});
  ~RedisProcess();
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  int port() const { return port_; }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
  pid_t pid() const { return pid_; }

  /// SIGKILL.
  void kill();
  /// Starts it again on the same port, with its data or without.
  void start();
  void forget_data();
  /// SIGSTOP and SIGCONT.
  void freeze();
  void thaw();

  /// What an inline command without a login is answered, first line or bulk.
  std::string say(const std::string& command) const;

 private:
  void spawn();
  bool answers() const;

  ScratchFolder folder_;
  std::vector<std::string> options_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sse::testing
