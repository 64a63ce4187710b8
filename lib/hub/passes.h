#pragma once

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
/// the passes that have not reached it yet (Shard::settle).
struct Pass {
  std::uint32_t number = 0;  ///< ascending by one; a connection notes the last one that it has taken or that began
                             ///< before it joined
  std::shared_ptr<BatchPart> part;
  DeliveryBatch::Step step;
  MessageId position;     ///< the newest position of an event when the pass began
  event::FrameRef frame;  ///< with a reference count of its own
  std::size_t left = 0;   ///< members not visited; the group may have become smaller
};

/// The passes of a shard that have begun and not ended, oldest first. Only the first one proceeds, but all of them
/// count for a stream that cannot wait. Loop thread only.
class Passes {
 public:
  /// `before`: one less than the number of the first pass.
  explicit Passes(std::uint32_t before = 0) : newest_(before) {}

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
  /// Those after `number`, oldest first.
  template <class Use>
  void for_each_after(std::uint32_t number, Use use) {
    if (passes_.empty()) return;
    const std::uint32_t first = passes_.front().number;
    for (std::size_t i = number < first ? 0 : number - first + 1; i < passes_.size(); ++i) use(passes_[i]);
  }
  /// Counts from 0 again. REQUIRES: empty, and all connections have forgotten their numbers.
  void restart() { newest_ = 0; }

 private:
  std::deque<Pass> passes_;
  std::uint32_t newest_;
};

}  // namespace sse::hub
