#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "base/ids.h"
#include "event/frame.h"
#include "hub/delivery_batch.h"

namespace sse::hub {

/// The part of a batch that one shard runs.
struct BatchPart {
  std::shared_ptr<DeliveryBatch> batch;
  std::size_t number = 0;     ///< of the shard
  std::size_t next_step = 0;  ///< of its plan
  std::size_t passes = 0;     ///< steps that are still on their way through their groups

  bool started() const { return next_step == batch->plan[number].size(); }
};

/// One delivery on its way through the streams of a large group. A pass visits the members from the last to the first
/// in slices, so that the loop handles other work in between; what is sent to a single stream meanwhile first brings it
/// the passes that have not reached it yet (Shard::settle). A pass takes the next ones along that are to the same
/// group, so that a stream is visited once for all of them.
struct Pass {
  std::uint32_t number = 0;  ///< ascending by one; a connection notes the last one that it has taken or that began
                             ///< before it joined
  std::shared_ptr<BatchPart> part;
  DeliveryBatch::Step step;
  MessageId position;     ///< the newest position of an event when the pass began
  event::FrameRef frame;  ///< with a reference count of its own
  std::size_t left = 0;   ///< members not visited; the group may have become smaller
  bool begun = false;
  std::uint32_t taken = 0;  ///< streams that took the frame and are not counted yet

  bool to_same_target(const Pass& other) const {
    const event::Target& target = part->batch->delivery(step).target;
    const event::Target& theirs = other.part->batch->delivery(other.step).target;
    return target.kind == theirs.kind && target.of_tenant == theirs.of_tenant &&
           part->batch->name(step) == other.part->batch->name(other.step);
  }
};

/// The passes of a shard that have begun and not ended, oldest first. Only the first one proceeds, but all of them
/// count for a stream that cannot wait. Loop thread only.
class Passes {
 public:
  /// `before`: one less than the number of the first pass.
  explicit Passes(std::uint32_t before = 0) : newest_(before), covered_(before) {}

  bool empty() const { return passes_.empty(); }
  Pass& first() { return passes_.front(); }
  /// The number of the newest pass, also when it has ended.
  std::uint32_t newest() const { return newest_; }
  /// Whether the next number would begin again at 0: see restart().
  bool exhausted() const { return newest_ == UINT32_MAX; }
  void add(Pass pass) {
    pass.number = ++newest_;
    passes_.push_back(std::move(pass));
  }
  void end_first() { passes_.pop_front(); }
  /// The number of the last pass in a row, from the first on, that is to the same target as the first.
  std::uint32_t last_alike() const {
    const Pass& first = passes_.front();
    std::size_t n = 1;
    while (n < std::min(passes_.size(), kMaxTogether) && first.to_same_target(passes_[n])) ++n;
    return first.number + static_cast<std::uint32_t>(n - 1);
  }
  /// The first pass begins, and takes those up to `last` along to every member: they need not visit any.
  void begin_first(std::size_t members, std::uint32_t last) {
    passes_.front().begun = true;
    passes_.front().left = members;
    covered_ = last;
  }
  bool first_is_covered() const { return !passes_.front().begun && passes_.front().number <= covered_; }
  /// Those after one number and up to another, oldest first.
  template <class Use>
  void for_each(std::uint32_t after, std::uint32_t last, Use use) {
    if (passes_.empty()) return;
    const std::uint32_t first = passes_.front().number;
    for (std::size_t i = after < first ? 0 : after - first + 1; i < passes_.size() && passes_[i].number <= last; ++i)
      use(passes_[i]);
  }
  /// Counts from 0 again. REQUIRES: empty, and all connections have forgotten their numbers.
  void restart() { newest_ = covered_ = 0; }

 private:
  // Bounds what one step of a slice does.
  static constexpr std::size_t kMaxTogether = 256;

  std::deque<Pass> passes_;
  std::uint32_t newest_;
  std::uint32_t covered_;
};

}  // namespace sse::hub
