// The status documents of a server.
#include <unistd.h>

#include <map>
#include <string>

#include "base/version.h"
#include "cluster/redis/redis_cluster.h"
#include "server/cluster_options.h"
#include "server/process_usage.h"
#include "server/server_impl.h"

namespace sse::server {

using event::Json;

// What this node publishes to the other nodes with every heartbeat.
Json Server::Impl::facts() const {
  std::size_t connections = 0;
  std::size_t users = 0;
  for (const application::Service& service : services_) {
    connections += service.sender->hub().connections();
    users += service.sender->hub().users();
  }
  const std::map<std::string, double> counters = metrics_.snapshot();
  const auto sum = [&](const std::string& name) {
    double all = 0;
    for (const auto& [key, value] : counters) {
      if (key.starts_with(name + "{")) all += value;
    }
    // A whole number, because registries accept few characters.
    return static_cast<std::uint64_t>(all);
  };
  return {{"url", url()},
          {"version", base::kVersion},
          {"state", draining_.load() ? "draining" : "ready"},
          {"pid", getpid()},
          {"startTime", to_millis(started_)},
          {"connections", connections},
          {"users", users},
          {"memoryBytes", resident_bytes()},
          {"cpuMicros", cpu_micros()},
          {"deliveries", sum("sse_deliveries_total")},
          {"deliveredBytes", sum("sse_delivered_bytes_total")},
          {"dropped", sum("sse_dropped_total")}};
}

Json Server::Impl::cluster_status() const {
  if (!cluster_gateway_) return nullptr;
  const std::string degraded = cluster_->degraded();
  Json status{{"address", cluster_address(options_)},
              {"nodes", cluster_->nodes().size()},
              {"number", cluster_->number()},
              {"topics", cluster_->interest().topics()},
              {"degraded", degraded.empty() ? Json(nullptr) : Json(degraded)}};
  if (mesh_ != nullptr) {
    status["listening"] = mesh_->listening();
    status["advertised"] = mesh_->address();
    status["heldRecipients"] = mesh_repository_->held();
  }
  return status;
}

Json Server::Impl::status() const {
  Json services = Json::array();
  const std::int64_t cpu = cpu_micros();
  std::size_t connections = 0;
  std::size_t users = 0;
  for (const application::Service& service : services_) {
    const hub::Hub& hub = service.sender->hub();
    services.push_back({{"name", service.sender->service().str()},
                        {"path", service.path},
                        {"connections", hub.connections()},
                        {"users", hub.users()}});
    connections += hub.connections();
    users += hub.users();
  }
  return {
      {"serverId", server_id_},
      {"version", base::kVersion},
      {"state", draining_.load() ? "draining" : "ready"},
      {"pid", getpid()},
      {"startTime", to_millis(started_)},
      {"uptimeMillis", (clock_.wall_now() - started_).count()},
      {"listen", url()},
      {"database", options_.cluster.empty() ? options_.database : cluster::parse_redis_address(options_.cluster).str()},
      {"connections", connections},
      {"users", users},
      {"pending", repository_->size()},
      {"memoryBytes", resident_bytes()},
      {"cpuMillis", cpu / 1000},
      {"cpuMicros", cpu},
      {"threads", thread_count()},
      {"loops", loops_.size()},
      {"services", services},
      {"cluster", cluster_status()},
      {"counters", metrics_.snapshot()}};
}

}  // namespace sse::server
