#pragma once

// Helpers that run a function of a Hub on the loops of its shards and wait. Only for the sources of Hub.

#include <latch>
#include <memory>
#include <utility>

#include "hub/hub.h"

namespace sse::hub {

// Counts a latch down when its task is destroyed, also when a stopped loop destroys it without running it.
class LatchGuard {
 public:
  explicit LatchGuard(std::shared_ptr<std::latch> latch) : latch_(std::move(latch)) {}
  LatchGuard(LatchGuard&&) noexcept = default;
  LatchGuard& operator=(LatchGuard&&) = delete;
  ~LatchGuard() {
    if (latch_) latch_->count_down();
  }

 private:
  std::shared_ptr<std::latch> latch_;
};

template <class Use>
void Hub::on_shards(const std::vector<std::size_t>& numbers, Use use) {
  if (numbers.empty()) return;
  for (const std::size_t number : numbers) shards_[number]->loop().check_may_wait();
  // Shared, not on this stack: the last loop may still be inside count_down() when wait() returns.
  const auto done = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(numbers.size()));
  for (const std::size_t number : numbers) {
    Shard& shard = *shards_[number];
    shard.loop().post([&use, &shard, number, arrival = LatchGuard(done)] { use(shard, number); });
  }
  done->wait();
}

template <class Use>
void Hub::on_all_shards(Use use) {
  on_shards(all_shards_, use);
}

template <class Use>
void Hub::on_owned(ConnectionId id, const Identity& owner, Use use) {
  if (owner.user.empty() || !id.valid()) return;
  on_shards({shard_of(owner.user)}, [&](Shard& shard, std::size_t) {
    Connection* connection = shard.find(id);
    if (connection != nullptr && Shard::owns(owner, *connection)) use(shard, *connection);
  });
}

}  // namespace sse::hub
