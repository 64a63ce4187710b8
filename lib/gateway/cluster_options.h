#pragma once

#include <string>

#include "cluster/http_cluster.h"
#include "cluster/redis_cluster.h"
#include "gateway/server.h"

namespace sse::gateway {

/// Throws Error(kInvalidArgument) that names the option of a cluster that makes no sense. May read the secrets.
void check_cluster(const ServerOptions& options);

/// Of a server with --cluster, or with --discovery; `id` is the server's. Throws Error where a secret cannot be read.
cluster::RedisClusterOptions redis_options(const ServerOptions& options, const std::string& id);
cluster::HttpClusterOptions mesh_options(const ServerOptions& options, const std::string& id);

/// Where the nodes meet, fit for showing; empty for a server that is alone.
std::string cluster_address(const ServerOptions& options);

}  // namespace sse::gateway
