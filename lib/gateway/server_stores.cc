// Where a server keeps its messages.
#include <memory>
#include <string>
#include <utility>

#include "base/version.h"
#include "cluster/redis_repository.h"
#include "delivery/memory_repository.h"
#include "delivery/sqlite_repository.h"
#include "gateway/cluster_options.h"
#include "gateway/server_impl.h"
#include "observe/log.h"

namespace sse::gateway {

void Server::Impl::open_repository() {
  delivery::StoreLimits limits;
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
    redis.dropped =
        &metrics_.counter("sse_confirmations_dropped_total",
                          "Confirmations for which there was no room while Redis was away: their messages come again");
    auto repository = std::make_unique<cluster::RedisRepository>(redis, cluster.connect_patience);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else if (options_.database == ":memory:") {
    auto repository = std::make_unique<delivery::MemoryRepository>(*ids_, limits);
    catalog_ = repository.get();
    dead_ = repository.get();
    attempts_ = repository.get();
    repository_ = std::move(repository);
  } else {
    delivery::SqliteRepository::Options sqlite;
    sqlite.path = options_.database;
    sqlite.make_folders = options_.make_database_folder;
    sqlite.sync =
        options_.sync_full ? delivery::SqliteRepository::Sync::kFull : delivery::SqliteRepository::Sync::kNormal;
    sqlite.limits = limits;
    sqlite.on_error = log;
    auto repository = std::make_unique<delivery::SqliteRepository>(sqlite, *ids_);
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

// Each node keeps what it accepted, and hands it to whichever node the receiver comes to.
void Server::Impl::share_repository() {
  own_repository_ = std::move(repository_);
  cluster::MeshRepository::Options mesh;
  mesh.patience = cluster_->options().patience;
  mesh.clock = &clock_;
  mesh.look_again = [this] { cluster_gateway_->missed_something(); };
  mesh.flush_attempts = [this] {
    for (const Service& service : services_) service.sender->flush_attempts();
  };
  auto repository = std::make_unique<cluster::MeshRepository>(
      cluster::MeshRepository::Own{*own_repository_, *catalog_, *dead_, *attempts_}, *mesh_, cluster_->interest(),
      mesh);
  mesh_repository_ = repository.get();
  dead_ = mesh_repository_;
  attempts_ = mesh_repository_;
  repository_ = std::move(repository);
  cluster_->set_keeper([this](const std::string& bytes) { return mesh_repository_->handle(bytes); });
  cluster_->set_reunited([this] { mesh_repository_->have_others_look(); });
}

}  // namespace sse::gateway
