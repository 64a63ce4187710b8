#include "server/status_report.h"

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>

#include "admin/unreachable_nodes.h"
#include "base/version.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/redis/redis_cluster.h"
#include "server/canary.h"
#include "server/cluster_node.h"
#include "server/cluster_options.h"
#include "server/process_usage.h"

namespace sse::server {

using event::Json;

Json StatusReport::cluster_status() const {
  if (source_.cluster == nullptr) return nullptr;
  const cluster::Cluster& cluster = source_.cluster->cluster();
  const std::string degraded = cluster.degraded();
  Json status{{"address", cluster_address(source_.options)},
              {"nodes", cluster.nodes().size()},
              {"number", cluster.number()},
              {"topics", source_.cluster->topics()},
              {"degraded", degraded.empty() ? Json(nullptr) : Json(degraded)}};
  if (const std::string unlisted = cluster.unlisted(); !unlisted.empty()) status["unlisted"] = unlisted;
  if (const cluster::HttpBus* bus = source_.cluster->bus()) {
    status["listening"] = bus->listening();
    status["advertised"] = bus->address();
    status["tls"] = bus->tls() != nullptr;
    status["unreachable"] = admin::unreachable_nodes(*bus);
    status["heldRecipients"] = source_.cluster->held_recipients();
  }
  return status;
}

std::string StatusReport::database() const {
  const ServerOptions& options = source_.options;
  if (options.own_repository) return "the program's own";
  return options.cluster.empty() ? options.database : cluster::parse_redis_address(options.cluster).str();
}

namespace {

// A counter is a whole number in JSON, too.
Json counters(const std::map<std::string, double>& values) {
  constexpr double kExact = 9007199254740992;  // 2^53
  Json json = Json::object();
  for (const auto& [name, value] : values) {
    const bool whole = std::trunc(value) == value && std::abs(value) < kExact;
    json[name] = whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
  }
  return json;
}

}  // namespace

Json StatusReport::document() const {
  Json services = Json::array();
  const std::int64_t cpu = cpu_micros();
  for (const application::Service& service : source_.services) {
    const hub::Hub& hub = service.sender->hub();
    services.push_back({{"name", service.sender->service().str()},
                        {"path", service.path},
                        {"connections", hub.directory().connections()},
                        {"users", hub.directory().users()}});
  }
  const NodeFacts::Counts counts = source_.facts.counts();
  return {{"serverId", source_.server_id},
          {"version", base::kVersion},
          {"state", source_.facts.state()},
          {"pid", getpid()},
          {"startTime", to_millis(source_.facts.started())},
          {"uptimeMillis", (source_.options.clock->wall_now() - source_.facts.started()).count()},
          {"listen", source_.facts.url()},
          {"database", database()},
          {"connections", counts.connections},
          {"users", counts.users},
          {"pending", source_.stores.messages().size()},
          {"memoryBytes", resident_bytes()},
          {"cpuMillis", cpu / 1000},
          {"cpuMicros", cpu},
          {"threads", thread_count()},
          {"loops", source_.loops},
          {"services", services},
          {"cluster", cluster_status()},
          {"canary", source_.canary == nullptr ? Json(nullptr) : source_.canary->status()},
          {"counters", counters(source_.metrics.snapshot())}};
}

}  // namespace sse::server
