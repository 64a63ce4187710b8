#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "process.h"

namespace sse::bench {

/// What a Redis has done since it was started.
struct RedisUse {
  double commands = 0;  ///< also those that scripts call
  double bytes = 0;     ///< received and sent
  double cpu_seconds = 0;
  double memory_bytes = 0;  ///< now
  SteadyTime at{};
};

/// A Redis of its own, which keeps nothing on disk.
class Redis {
 public:
  Redis();

  int port() const { return port_; }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
  /// The options of node `number` of a cluster over it.
  std::vector<std::string> node_options(std::size_t number) const;
  /// Throws Error if it does not answer.
  RedisUse use() const;

 private:
  const int port_;
  Process process_;
};

/// A connection to the Redis on this port; throws Error.
UniqueFd connect_to_redis(int port);
/// Writes all bytes; throws Error.
void send_to_redis(int fd, std::string_view bytes);

}  // namespace sse::bench
