#include "server/connection_check.h"

#include "cluster/nacos/nacos_client.h"
#include "cluster/redis/redis_link.h"
#include "server/cluster_options.h"

namespace sse::server {
namespace {

constexpr const char* kCheckId = "check-config";

std::string try_redis(const ServerOptions& options) {
  const cluster::RedisClusterOptions redis = redis_options(options, kCheckId);
  cluster::RedisLink link(cluster::link_options(redis), cluster::RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(redis.connect_timeout);
  link.execute({"PING"});
  return "Redis at " + cluster_address(options) + " answers";
}

std::string try_nacos(const ServerOptions& options) {
  const cluster::HttpClusterOptions mesh = mesh_options(options, kCheckId);
  cluster::NacosClient client(cluster::nacos_options(mesh));
  const std::size_t count = client.instances().size();
  return "Nacos at " + cluster_address(options) + " answers and lists " + std::to_string(count) +
         (count == 1 ? " server" : " servers");
}

}  // namespace

std::vector<std::string> try_connections(const ServerOptions& options) {
  std::vector<std::string> works;
  if (!options.cluster.empty()) works.push_back(try_redis(options));
  if (cluster::is_nacos_address(options.discovery)) works.push_back(try_nacos(options));
  return works;
}

}  // namespace sse::server
