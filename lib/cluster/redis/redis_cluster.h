#pragma once

#include <memory>
#include <string>

#include "cluster/core/cluster.h"
#include "cluster/redis/redis_bus.h"
#include "cluster/redis/redis_discovery.h"

namespace sse::cluster {

/// Options of a cluster over Redis.
struct RedisClusterOptions {
  std::string address;          ///< redis://…, see parse_redis_address()
  RedisTls tls;                 ///< with TLS
  std::string password;         ///< overrides the password in the address; empty: that password
  std::string prefix = "sse:";  ///< of all keys and channels
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds link_timeout{2000};  ///< for each reply of Redis
  Cluster::Options cluster;
};

/// A node's membership in a cluster over Redis, with its bus connected. Throws Error if Redis cannot be used:
/// kUnavailable, kPermissionDenied, or kInvalidArgument for an invalid address or node id.
struct RedisCluster {
  RedisBus* bus = nullptr;  ///< owned by `cluster`
  std::unique_ptr<Cluster> cluster;
};
RedisCluster open_redis_cluster(const RedisClusterOptions& options, observe::Registry& metrics);

/// Throws Error(kInvalidArgument) that names the invalid option.
void check(const RedisClusterOptions& options);

/// Throws Error(kInvalidArgument) for a text that keys and channels cannot begin with.
void require_redis_prefix(const std::string& prefix);

/// Only the options of the link, for programs that are not nodes.
RedisLinkOptions link_options(const RedisClusterOptions& options);

}  // namespace sse::cluster
