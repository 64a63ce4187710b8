#include "cluster/redis/redis_cluster.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "net/listener.h"
#include "observe/log.h"

namespace sse::cluster {

void require_redis_prefix(const std::string& prefix) {
  const bool fits = !prefix.empty() && prefix.size() <= 100 && is_valid_utf8(prefix) &&
                    std::ranges::none_of(prefix, [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  if (fits) return;
  throw Error(ErrorCode::kInvalidArgument,
              "--cluster-prefix '" + printable(prefix, 60) + "' must be 1 to 100 bytes without blanks, such as 'sse:'");
}

void check(const RedisClusterOptions& options) {
  require_redis_prefix(options.prefix);
  const RedisTls& tls = options.tls;
  const bool some =
      !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.key_file.empty() || !tls.server_name.empty();
  if (tls.certificate_file.empty() != tls.key_file.empty())
    throw Error(ErrorCode::kInvalidArgument, "--cluster-cert and --cluster-key belong together; give both");
  const RedisAddress address = link_options(options).address;
  if (!address.user.empty() && address.password.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the address of Redis has a user without a password; give --cluster-password-file, or USER:PASSWORD@");
  }
  if (address.tls) {
    check(tls);
  } else if (some) {
    throw Error(ErrorCode::kInvalidArgument,
                "--cluster-ca, --cluster-cert, --cluster-key and --cluster-tls-name are for rediss:// and "
                "rediss-sentinel://");
  }
}

RedisLinkOptions link_options(const RedisClusterOptions& options) {
  RedisLinkOptions link;
  link.address = parse_redis_address(options.address);
  if (!options.password.empty()) link.address.password = options.password;
  link.tls = options.tls;
  link.clock = options.cluster.clock;
  link.connect_timeout = link.answer_timeout = options.link_timeout;
  return link;
}

namespace {

// A warning, because a Redis in a network of its own has always been used so.
void warn_of_clear_password(const RedisAddress& address) {
  if (address.tls || address.password.empty() || !address.path.empty()) return;
  std::vector<std::string> hosts{address.host};
  for (const auto& [host, port] : address.sentinels) hosts.push_back(host);
  for (const std::string& host : hosts) {
    if (host.empty() || net::ListenAddress{host, 0, ""}.is_loopback()) continue;
    observe::log_warn("the password of Redis travels over a network in clear; use rediss://", {{"host", host}});
    return;
  }
}

}  // namespace

RedisCluster open_redis_cluster(const RedisClusterOptions& options, observe::Registry& metrics) {
  const std::string& id = options.cluster.node;
  require_node_id(id);
  RedisBus::Options bus_options;
  bus_options.link = link_options(options);
  warn_of_clear_password(bus_options.link.address);
  bus_options.prefix = options.prefix;
  bus_options.node = bus_name(id);
  auto bus = std::make_unique<RedisBus>(bus_options);
  RedisCluster opened;
  opened.bus = bus.get();
  RedisDiscovery::Options discovery;
  discovery.prefix = options.prefix;
  discovery.clock = options.cluster.clock;
  opened.cluster = std::make_unique<Cluster>(options.cluster, std::move(bus),
                                             std::make_unique<RedisDiscovery>(opened.bus->link(), discovery), metrics);
  opened.bus->start(opened.cluster->receiver());
  opened.bus->require_up(options.connect_timeout);
  return opened;
}

}  // namespace sse::cluster
