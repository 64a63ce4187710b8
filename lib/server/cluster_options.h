#pragma once

#include <string>

#include "cluster/http_cluster.h"
#include "cluster/redis/redis_cluster.h"
#include "server/server.h"

namespace sse::server {

/// Checks the cluster options. Throws Error(kInvalidArgument) naming the invalid option. May read the secret files.
void check_cluster(const ServerOptions& options);

/// The options of a cluster with --cluster, or with --discovery; `id` is the server's id. Throws Error if a secret
/// cannot be read.
cluster::RedisClusterOptions redis_options(const ServerOptions& options, const std::string& id);
cluster::HttpClusterOptions mesh_options(const ServerOptions& options, const std::string& id);

/// The address of Redis or of the discovery, without secrets, for status output; empty without a cluster.
std::string cluster_address(const ServerOptions& options);

}  // namespace sse::server
