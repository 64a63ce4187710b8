#pragma once

#include <memory>
#include <string>

#include "cluster/cluster.h"
#include "cluster/redis_bus.h"
#include "cluster/redis_discovery.h"

namespace sse::cluster {

/// What a cluster over Redis is opened with.
struct RedisClusterOptions {
  std::string address;          ///< redis://…, see parse_redis_address()
  std::string password;         ///< wins over the address' own; empty: that one
  std::string prefix = "sse:";  ///< of all keys and channels
  std::chrono::milliseconds connect_patience{5000};
  std::chrono::milliseconds link_timeout{2000};  ///< for every answer of Redis
  Cluster::Options cluster;
};

/// A node's part in a cluster over Redis, its bus connected. Throws Error where Redis cannot be used: kUnavailable,
/// kPermissionDenied, kInvalidArgument for an address or node id that cannot be.
struct RedisCluster {
  RedisBus* bus = nullptr;  ///< owned by `cluster`
  std::unique_ptr<Cluster> cluster;
};
RedisCluster open_redis_cluster(const RedisClusterOptions& options, observe::Registry& metrics);

/// The link's options alone, for programs that are no node.
RedisLinkOptions link_options(const RedisClusterOptions& options);

}  // namespace sse::cluster
