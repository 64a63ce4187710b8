#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/redis/redis_repository.h"
#include "store/memory/memory_repository.h"
#include "store/outbox.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/redis.h"
#include "unit/store/store_fixture.h"

namespace sse::store {

using Outcome = DeliveryReport::Outcome;

inline constexpr std::size_t kOutbox = 4;
inline constexpr std::size_t kDeadBytes = 1000;
inline const WallTime kLater = kNow + std::chrono::hours(2);

inline StoreLimits limits(std::uint64_t outbox = kOutbox) {
  StoreLimits limits;
  limits.dead_bytes = ByteCount(kDeadBytes);
  limits.outbox = outbox;
  return limits;
}

class InMemory {
 public:
  MemoryRepository& open(std::uint64_t outbox = kOutbox) {
    repository_.emplace(ids_, limits(outbox));
    return *repository_;
  }

 private:
  IdGenerator ids_{1};
  std::optional<MemoryRepository> repository_;
};

class InSqlite {
 public:
  SqliteRepository& open(std::uint64_t outbox = kOutbox) {
    repository_.reset();
    SqliteRepository::Options options;
    options.path = folder_.file(kDatabase);
    options.limits = limits(outbox);
    repository_.emplace(options, ids_);
    return *repository_;
  }

 private:
  TempFolder folder_;
  IdGenerator ids_{1};
  std::optional<SqliteRepository> repository_;
};

// One Redis for all tests: each has a prefix of its own there.
class InRedis {
 public:
  cluster::RedisRepository& open(std::uint64_t outbox = kOutbox) {
    repository_.reset();
    repository_.emplace(options(outbox), sse::testing::kTimeout);
    return *repository_;
  }
  cluster::RedisRepository::Options options(std::uint64_t outbox = kOutbox) const {
    cluster::RedisRepository::Options options;
    options.link.address = cluster::parse_redis_address(redis().url());
    options.link.answer_timeout = sse::testing::kTimeout;
    options.prefix = prefix_;
    options.limits = limits(outbox);
    return options;
  }
  static sse::testing::RedisProcess& redis() {
    static sse::testing::RedisProcess process({"--appendfsync", "no"});
    return process;
  }

 private:
  static std::string next_prefix() {
    static int tests = 0;
    return "outbox" + std::to_string(++tests) + ":";
  }
  const std::string prefix_ = next_prefix();
  std::optional<cluster::RedisRepository> repository_;
};

// What a listener was called with. The stores call it on threads of their own.
class Reports {
 public:
  void listen_to(Outbox& outbox) {
    outbox.listen_to_reports([this](const std::vector<DeliveryReport>& reports, std::uint64_t dropped) {
      const MutexLock lock(mutex_);
      all_.insert(all_.end(), reports.begin(), reports.end());
      dropped_ += dropped;
    });
  }
  std::vector<DeliveryReport> all() {
    const MutexLock lock(mutex_);
    return all_;
  }
  std::uint64_t dropped() {
    const MutexLock lock(mutex_);
    return dropped_;
  }
  bool come_to(std::size_t n) {
    return eventually([&] { return all().size() >= n; });
  }

 private:
  Mutex mutex_;
  std::vector<DeliveryReport> all_ GUARDED_BY(mutex_);
  std::uint64_t dropped_ GUARDED_BY(mutex_) = 0;
};

inline NewMessage notified(std::vector<std::string> names, std::string data = "hi") {
  NewMessage message = to_users(std::move(names), std::move(data));
  message.notify = true;
  return message;
}

}  // namespace sse::store
