#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "support/process.h"

namespace sse::testing {

/// A port of 127.0.0.1 that no program uses now.
int free_port();

/// A private redis-server on a free port of 127.0.0.1; killed when this is destroyed. Start it from a thread that lives
/// as long. It syncs its append-only file before it answers a command. Its user `sse` has the permissions that
/// sse-server-cluster(7) lists, and no others.
class RedisProcess {
 public:
  /// `@port` in an option stands for another free port. Returns when the server answers; throws std::runtime_error with
  /// its log otherwise.
  explicit RedisProcess(std::vector<std::string> options = {});
  ~RedisProcess();
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  int port() const { return port_; }
  int other_port() const { return other_port_; }  ///< `@port`
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
  /// As the user `sse`.
  std::string url_of_user() const { return "redis://sse:secret@127.0.0.1:" + std::to_string(port_) + "/0"; }
  pid_t pid() const { return pid_; }

  /// Sends SIGKILL.
  void kill();
  /// Starts it again on the same port; with its data, unless forget_data() was called.
  void start();
  void forget_data();
  /// Send SIGSTOP and SIGCONT.
  void freeze();
  void thaw();

  /// The reply to an inline command without a login: the first line or the bulk string.
  std::string say(const std::string& command) const;

 private:
  void spawn();
  bool answers() const;

  TempFolder folder_;
  std::vector<std::string> options_;
  int port_ = 0;
  int other_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sse::testing
