#include "server/stores.h"

#include <utility>

#include "base/error.h"
#include "cluster/redis/redis_repository.h"
#include "observe/log.h"
#include "server/cluster_options.h"
#include "store/memory/memory_repository.h"
#include "store/sqlite/sqlite_repository.h"

namespace sse::server {
namespace {

store::StoreLimits limits_of(const ServerOptions& options) {
  store::StoreLimits limits;
  limits.per_recipient = options.qos_max_per_user;
  limits.bytes_per_recipient = options.qos_max_bytes_per_user;
  limits.total = options.qos_max_total;
  limits.total_bytes = options.qos_max_total_bytes;
  limits.dead = options.qos_max_dead;
  // Without a hook there is nobody to be told later.
  if (!options.hook.empty()) limits.outbox = options.outbox_limit;
  return limits;
}

class GeneratedIds final : public MessageIds {
 public:
  explicit GeneratedIds(IdGenerator& ids) : ids_(ids) {}
  MessageId next() override { return MessageId(ids_.next()); }
  void raise_above(MessageId id) override { ids_.raise_floor(id.value()); }

 private:
  IdGenerator& ids_;
};

void log_failure(const std::string& sentence) {
  observe::log_error("pending repository", {{"error", sentence}});
}

std::unique_ptr<cluster::RedisRepository> open_redis(const ServerOptions& options, const std::string& server_id,
                                                     observe::Registry& metrics) {
  cluster::RedisRepository::Options redis;
  const cluster::RedisClusterOptions cluster = redis_options(options, server_id);
  redis.link = cluster::link_options(cluster);
  redis.prefix = cluster.prefix;
  redis.limits = limits_of(options);
  redis.allow_eviction = options.allow_redis_eviction;
  redis.on_error = log_failure;
  redis.dropped = &metrics.counter("sse_confirmations_dropped_total",
                                   "Confirmations dropped because the queue was full while Redis was away: their "
                                   "messages are redelivered");
  redis.node = server_id;
  redis.replicas = static_cast<unsigned>(options.qos_replicas);
  redis.not_replicated =
      &metrics.counter("sse_qos_not_replicated_total",
                       "Accepted messages that the Redis of the cluster does not have after a fail-over");
  return std::make_unique<cluster::RedisRepository>(redis, cluster.connect_timeout);
}

std::unique_ptr<store::SqliteRepository> open_sqlite(const ServerOptions& options, IdGenerator& ids) {
  store::SqliteRepository::Options sqlite;
  sqlite.path = options.database;
  sqlite.make_folders = options.make_database_folder;
  sqlite.sync = options.sync_full ? store::SqliteRepository::Sync::kFull : store::SqliteRepository::Sync::kNormal;
  sqlite.limits = limits_of(options);
  sqlite.on_error = log_failure;
  return std::make_unique<store::SqliteRepository>(sqlite, ids);
}

}  // namespace

Stores::Stores(const ServerOptions& options, const std::string& server_id, IdGenerator& ids,
               observe::Registry& metrics) {
  if (options.own_repository) {
    set_own(options, ids);
  } else if (!options.cluster.empty()) {
    set(open_redis(options, server_id, metrics));
  } else if (options.database == ":memory:") {
    set(std::make_unique<store::MemoryRepository>(ids, limits_of(options)));
  } else {
    auto sqlite = open_sqlite(options, ids);
    write_probe_ = sqlite.get();
    set(std::move(sqlite));
  }
}

void Stores::set_own(const ServerOptions& options, IdGenerator& ids) {
  message_ids_ = std::make_unique<GeneratedIds>(ids);
  absent_ = std::make_unique<store::AbsentStores>();
  repository_ = options.own_repository(*message_ids_);
  if (!repository_) throw Error(ErrorCode::kInvalidArgument, "Components::repository made no repository");
  catalog_ = store::ability<store::MessageCatalog>(*repository_);
  if (catalog_ == nullptr && !options.discovery.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "in a cluster the program's own repository must be a MessageCatalog, too, so that other nodes learn of "
                "the messages it has");
  }
  if (catalog_ == nullptr) catalog_ = absent_.get();
  dead_letters_ = absent_.get();
  attempts_ = store::ability<store::AttemptLog>(*repository_);
  if (attempts_ == nullptr) attempts_ = absent_.get();
}

template <class Repository>
void Stores::set(std::unique_ptr<Repository> repository) {
  catalog_ = repository.get();
  dead_letters_ = repository.get();
  attempts_ = repository.get();
  outbox_ = repository.get();
  repository_ = std::move(repository);
}

cluster::MeshRepository& Stores::share(cluster::Bus& bus, cluster::Interest& interest,
                                       const cluster::MeshRepository::Options& mesh) {
  own_ = std::move(repository_);
  auto repository = std::make_unique<cluster::MeshRepository>(
      cluster::MeshRepository::Own{*own_, *catalog_, *dead_letters_, *attempts_}, bus, interest, mesh);
  cluster::MeshRepository& shared = *repository;
  dead_letters_ = &shared;
  attempts_ = &shared;
  repository_ = std::move(repository);
  return shared;
}

}  // namespace sse::server
