#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/discovery.h"

namespace sse::cluster {

/// The node registry shared by MemoryDiscovery objects.
struct MemoryRegistry {
  struct Entry {
    const void* owner;
    Node node;
    SteadyTime expires;
  };
  std::chrono::milliseconds ttl{6000};
  Mutex mutex;
  std::map<std::string, Entry> entries GUARDED_BY(mutex);
  std::map<std::string, unsigned> numbers GUARDED_BY(mutex);  // id → number, never removed
};

/// In-memory discovery among nodes of one process, for tests.
class MemoryDiscovery final : public Discovery {
 public:
  /// `clock` must outlive this; entries of other nodes expire by it.
  explicit MemoryDiscovery(std::shared_ptr<MemoryRegistry> registry, const Clock& clock = Clock::system())
      : registry_(std::move(registry)), clock_(clock) {}

  unsigned join(const std::string& id, const event::Json& facts) override;
  void refresh(const event::Json& facts) override;
  void leave() noexcept override;
  std::vector<Node> nodes() override;

 private:
  const std::shared_ptr<MemoryRegistry> registry_;
  const Clock& clock_;
  std::string id_;
};

}  // namespace sse::cluster
