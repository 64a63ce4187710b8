#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/bus.h"
#include "cluster/gathering.h"
#include "net/worker_pool.h"

namespace sse::cluster {

class MemoryBus;

/// What MemoryBus objects share: the nodes of one process.
class MemoryExchange {
 public:
  /// From now on nothing is carried, as with a bus that has lost its server; or it is again.
  void cut(bool cut) EXCLUDES(mutex_);

 private:
  friend class MemoryBus;
  Mutex mutex_;
  bool cut_ GUARDED_BY(mutex_) = false;
  std::map<std::string, MemoryBus*> nodes_ GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> topics_ GUARDED_BY(mutex_);  // topic → nodes
};

/// A bus between nodes of one process, for tests. Receives on a thread of its own.
class MemoryBus final : public Bus {
 public:
  /// `clock` outlives this.
  MemoryBus(std::shared_ptr<MemoryExchange> exchange, std::string node, const Clock& clock = Clock::system());
  ~MemoryBus() override { stop(); }
  MemoryBus(const MemoryBus&) = delete;
  MemoryBus& operator=(const MemoryBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;
  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> standing) override;
  void unsubscribe(const std::vector<std::string>& topics) override;
  std::shared_ptr<Asked> ask(const std::vector<Command>& commands) override;
  std::string why_down() const override;

 private:
  friend class MemoryExchange;
  void take(Incoming command);

  const std::shared_ptr<MemoryExchange> exchange_;
  const std::string node_;
  const std::shared_ptr<Gathering> gathering_;
  Receiver* receiver_ = nullptr;
  net::WorkerPool thread_;
};

}  // namespace sse::cluster
