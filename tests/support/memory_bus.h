#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/core/bus.h"
#include "cluster/core/request_tracker.h"
#include "net/worker_pool.h"

namespace sse::cluster {

class MemoryBus;

/// The state shared by the MemoryBus objects of one process, one object per node.
class MemoryExchange {
 public:
  /// Stops or resumes the delivery of messages; stopped, the bus behaves as one that has lost its server.
  void cut(bool cut) EXCLUDES(mutex_);

 private:
  friend class MemoryBus;
  Mutex mutex_;
  bool cut_ GUARDED_BY(mutex_) = false;
  std::map<std::string, MemoryBus*> nodes_ GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> topics_ GUARDED_BY(mutex_);  // topic → nodes
};

/// An in-memory bus between nodes of one process, for tests. Receives on its own thread.
class MemoryBus final : public Bus {
 public:
  /// `clock` must outlive this.
  MemoryBus(std::shared_ptr<MemoryExchange> exchange, std::string node, const Clock& clock = Clock::system());
  ~MemoryBus() override { stop(); }
  MemoryBus(const MemoryBus&) = delete;
  MemoryBus& operator=(const MemoryBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;
  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) override;
  void unsubscribe(const std::vector<std::string>& topics) override;
  std::shared_ptr<PendingCall> start_call(const std::vector<Command>& commands) override;
  std::string why_down() const override;

 private:
  friend class MemoryExchange;
  void take(Incoming command);

  const std::shared_ptr<MemoryExchange> exchange_;
  const std::string node_;
  const std::shared_ptr<RequestTracker> tracker_;
  Receiver* receiver_ = nullptr;
  net::WorkerPool thread_;
};

}  // namespace sse::cluster
