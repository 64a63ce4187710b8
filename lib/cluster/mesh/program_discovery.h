#pragma once

#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/core/discovery.h"
#include "cluster/mesh/http_bus.h"
#include "sse-server/discovery.h"

namespace sse::cluster {

/// Finds nodes with the registry of a program that embeds the server, and gives their addresses to the bus. All nodes
/// have one secret.
class ProgramDiscovery final : public Discovery {
 public:
  /// Both must outlive this.
  ProgramDiscovery(sse::Discovery& registry, HttpBus& bus) : registry_(registry), bus_(bus) {}

  unsigned join(const std::string& id, const event::Json& facts) override EXCLUDES(mutex_);
  void refresh(const event::Json& facts) override EXCLUDES(mutex_);
  void leave() noexcept override { registry_.leave(); }
  std::vector<Node> nodes() override EXCLUDES(mutex_);

 private:
  sse::Discovery& registry_;
  HttpBus& bus_;
  Mutex mutex_;
  ClusterMember self_ GUARDED_BY(mutex_);
};

}  // namespace sse::cluster
