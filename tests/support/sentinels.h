#pragma once

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>

#include "support/redis.h"

namespace sse::testing {

/// A Redis with a replica, and three sentinels (redis-server --sentinel) that watch them as `main` and agree by two
/// votes; all killed when this is destroyed. Start it from a thread that lives as long.
class SentinelGroup {
 public:
  /// Returns when the sentinels know the replica and each other, and it is in sync; throws std::runtime_error
  /// otherwise.
  SentinelGroup();
  ~SentinelGroup();
  SentinelGroup(const SentinelGroup&) = delete;
  SentinelGroup& operator=(const SentinelGroup&) = delete;

  /// `login`: "user:password@" or empty.
  std::string url(const std::string& login = "") const;
  RedisProcess& first() { return *servers_[0]; }   ///< the primary at the start
  RedisProcess& second() { return *servers_[1]; }  ///< its replica
  /// The port of the primary that the sentinels name.
  int primary_port() const;

 private:
  struct Sentinel {
    int port = 0;
    pid_t pid = -1;
  };
  void spawn(Sentinel& sentinel, int number);
  bool knows_all(const Sentinel& sentinel) const;

  TempFolder folder_;
  std::array<std::unique_ptr<RedisProcess>, 2> servers_;
  std::array<Sentinel, 3> sentinels_;
};

}  // namespace sse::testing
