#include "cluster/redis_cluster.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace sse::cluster {

RedisLinkOptions link_options(const RedisClusterOptions& options) {
  RedisLinkOptions link;
  link.address = parse_redis_address(options.address);
  if (!options.password.empty()) link.address.password = options.password;
  link.connect_timeout = link.answer_timeout = options.link_timeout;
  return link;
}

RedisCluster open_redis_cluster(const RedisClusterOptions& options, observe::Registry& metrics) {
  const std::string& id = options.cluster.node;
  const bool fits = !id.empty() && id.size() <= 200 && is_valid_utf8(id) &&
                    std::ranges::none_of(id, [](unsigned char c) { return c <= ' ' || c == '~' || c == 0x7f; });
  if (!fits) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "--server-id '" + printable(id, 60) + "' does not do in a cluster: at most 200 bytes without blanks and '~'");
  }
  RedisBus::Options bus_options;
  bus_options.link = link_options(options);
  bus_options.prefix = options.prefix;
  bus_options.node = bus_name(id);
  auto bus = std::make_unique<RedisBus>(bus_options);
  RedisCluster opened;
  opened.bus = bus.get();
  RedisDiscovery::Options discovery;
  discovery.prefix = options.prefix;
  opened.cluster = std::make_unique<Cluster>(options.cluster, std::move(bus),
                                             std::make_unique<RedisDiscovery>(opened.bus->link(), discovery), metrics);
  opened.bus->start(opened.cluster->receiver());
  opened.bus->require_up(options.connect_patience);
  return opened;
}

}  // namespace sse::cluster
