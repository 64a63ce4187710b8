#include "support/memory_discovery.h"

#include "base/error.h"

namespace sse::cluster {

unsigned MemoryDiscovery::join(const std::string& id, const event::Json& facts) {
  id_ = id;
  refresh(facts);
  const MutexLock lock(registry_->mutex);
  return registry_->numbers[id];
}

void MemoryDiscovery::refresh(const event::Json& facts) {
  const MutexLock lock(registry_->mutex);
  const auto found = registry_->entries.find(id_);
  if (found != registry_->entries.end() && found->second.owner != this && found->second.expires > clock_.steady_now())
    throw Error(ErrorCode::kConflict, "another node is called '" + id_ + "'");
  const unsigned next = static_cast<unsigned>(registry_->numbers.size());
  const unsigned number = registry_->numbers.try_emplace(id_, next).first->second;
  if (number >= kNodeNumbers) throw Error(ErrorCode::kLimitExceeded, "all node numbers are taken");
  registry_->entries.insert_or_assign(
      id_, MemoryRegistry::Entry{this, {id_, number, facts}, clock_.steady_now() + registry_->ttl});
}

void MemoryDiscovery::leave() noexcept {
  const MutexLock lock(registry_->mutex);
  const auto found = registry_->entries.find(id_);
  if (found != registry_->entries.end() && found->second.owner == this) registry_->entries.erase(found);
}

std::vector<Node> MemoryDiscovery::nodes() {
  const MutexLock lock(registry_->mutex);
  std::vector<Node> nodes;
  for (const auto& [id, entry] : registry_->entries) {
    if (entry.expires > clock_.steady_now()) nodes.push_back(entry.node);
  }
  return nodes;
}

}  // namespace sse::cluster
