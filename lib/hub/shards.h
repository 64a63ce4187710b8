#pragma once

#include <cstddef>
#include <functional>
#include <latch>
#include <memory>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "hub/connection.h"
#include "hub/names.h"
#include "hub/shard.h"
#include "net/event_loop.h"

namespace sse::hub {

/// Counts a latch down when its task is destroyed, also when a stopped loop destroys it without running it.
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

/// The shards of one service, one per event loop, and the one place that waits for their loops. Thread safe.
///
/// All streams of a user are on the loop that its id hashes to, so that a send to a user wakes one loop; streams
/// without a user are spread evenly. A send to a tenant, token, channel or to all wakes every loop.
class Shards {
 public:
  /// `loops` must not be started yet. Everything that is passed must outlive this.
  Shards(const std::vector<std::unique_ptr<net::EventLoop>>& loops, const HubOptions& options, HubMetrics& metrics,
         HubDelegate& delegate, IdGenerator& ids, ExpectedResumes& expected_resumes);
  /// REQUIRES: the loops have stopped.
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  std::size_t size() const { return shards_.size(); }
  /// Its methods are for its loop only.
  Shard& at(std::size_t number) const { return *shards_.at(number); }
  /// The number of the shard that has all streams of the user.
  std::size_t number_of(const UserId& user) const { return std::hash<UserId>{}(user) % shards_.size(); }

  /// Throws Error unless the calling thread may wait for the loops, see net::EventLoop::check_may_wait(). The functions
  /// that wait call it themselves.
  void check_may_wait() const;
  /// Throws Error(kUnavailable) while a loop does not run, see net::EventLoop::check_runs().
  void check_runs() const;
  /// Runs `use(shard, number)` on the loops of the shards with these numbers and waits until all are done. `use` must
  /// be short, because the streams of that loop wait.
  template <class Use>
  void run_on(const std::vector<std::size_t>& numbers, Use use) const {
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
  void run_on_all(Use use) const {
    run_on(all_, use);
  }
  /// Runs `use(shard, connection)` on the loop of the connection, if it is open and `owner` owns it, and waits.
  template <class Use>
  void run_on_owned(ConnectionId id, const Identity& owner, Use use) const {
    if (owner.user.empty() || !id.valid()) return;
    run_on({number_of(owner.user)}, [&](Shard& shard, std::size_t) {
      Connection* connection = shard.find(id);
      if (connection != nullptr && owns(owner, *connection)) use(shard, *connection);
    });
  }
  /// Runs `use(shard)` on the loop of every shard. Does not wait.
  void post_to_all(const std::function<void(Shard&)>& use) const;

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::size_t> all_;  // their numbers
};

}  // namespace sse::hub
