#include "hub/shards.h"

#include <numeric>

namespace sse::hub {

Shards::Shards(const std::vector<std::unique_ptr<net::EventLoop>>& loops, const HubOptions& options,
               HubMetrics& metrics, HubDelegate& delegate, IdGenerator& ids, ExpectedResumes& expected_resumes)
    : all_(loops.size()) {
  std::iota(all_.begin(), all_.end(), 0);
  for (const auto& loop : loops)
    shards_.push_back(
        std::make_unique<Shard>(*loop, shards_.size(), options, metrics, delegate, ids, expected_resumes));
}

Shards::~Shards() = default;

void Shards::check_may_wait() const {
  for (const auto& shard : shards_) shard->loop().check_may_wait();
}

void Shards::check_runs() const {
  for (const auto& shard : shards_) shard->loop().check_runs();
}

void Shards::post_to_all(const std::function<void(Shard&)>& use) const {
  for (const auto& shard : shards_) shard->loop().post([&shard = *shard, use] { use(shard); });
}

}  // namespace sse::hub
