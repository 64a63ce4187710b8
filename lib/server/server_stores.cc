// Opens the repository that stores the server's messages.
#include <memory>
#include <string>
#include <utility>

#include "base/version.h"
#include "cluster/redis/redis_repository.h"
#include "observe/log.h"
#include "server/cluster_options.h"
#include "server/server_impl.h"
#include "store/memory/memory_repository.h"
#include "store/sqlite/sqlite_repository.h"

namespace sse::server {

void Server::Impl::open_repository() {
  store::StoreLimits limits;
  limits.per_recipient = options_.qos_max_per_user;
  limits.bytes_per_recipient = options_.qos_max_bytes_per_user;
  limits.total = options_.qos_max_total;
  limits.total_bytes = options_.qos_max_total_bytes;
  limits.dead = options_.qos_max_dead;
  const auto log = [](const std::string& sentence) { observe::log_error("pending repository", {{"error", sentence}}); };
  if (!options_.cluster.empty()) {
    cluster::RedisRepository::Options redis;
    const cluster::RedisClusterOptions cluster = redis_options(options_, server_id_);
    redis.link = cluster::link_options(cluster);
    redis.limits = limits;
    redis.allow_eviction = options_.allow_redis_eviction;
    redis.on_error = log;
    redis.dropped = &metrics_.counter("sse_confirmations_dropped_total",
                                      "Confirmations dropped because the queue was full while Redis was away: their "
                                      "messages are redelivered");
    auto repository = std::make_unique<cluster::RedisRepository>(redis, cluster.connect_timeout);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else if (options_.database == ":memory:") {
    auto repository = std::make_unique<store::MemoryRepository>(*ids_, limits);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else {
    store::SqliteRepository::Options sqlite;
    sqlite.path = options_.database;
    sqlite.make_folders = options_.make_database_folder;
    sqlite.sync = options_.sync_full ? store::SqliteRepository::Sync::kFull : store::SqliteRepository::Sync::kNormal;
    sqlite.limits = limits;
    sqlite.on_error = log;
    auto repository = std::make_unique<store::SqliteRepository>(sqlite, *ids_);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  }
  if (mesh_ != nullptr) share_repository();
  metrics_.gauge_callback("sse_pending_messages", "(message, recipient) pairs not confirmed",
                          [this] { return static_cast<double>(repository_->size()); });
  metrics_.gauge("sse_build_info", "Always 1; the version is in the label", {{"version", base::kVersion}}).set(1);
}

// Each node stores the messages it accepted, and passes them to the node a receiver connects to.
void Server::Impl::share_repository() {
  own_repository_ = std::move(repository_);
  cluster::MeshRepository::Options mesh;
  mesh.timeout = cluster_->options().timeout;
  mesh.clock = &clock_;
  mesh.refresh_pending = [this] { cluster_gateway_->on_messages_missed(); };
  mesh.flush_attempts = [this] {
    for (const application::Service& service : services_) service.sender->flush_attempts();
  };
  auto repository = std::make_unique<cluster::MeshRepository>(
      cluster::MeshRepository::Own{*own_repository_, *catalog_, *dead_, *attempts_}, *mesh_, cluster_->interest(),
      mesh);
  mesh_repository_ = repository.get();
  dead_ = mesh_repository_;
  attempts_ = mesh_repository_;
  repository_ = std::move(repository);
  cluster_->set_store([this](const std::string& bytes) { return mesh_repository_->handle(bytes); });
  cluster_->on_reconnected([this] { mesh_repository_->refresh_other_nodes(); });
}

}  // namespace sse::server
