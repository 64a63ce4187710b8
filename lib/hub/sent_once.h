#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sse::hub {

/// The last events to several channels, or to a union, that one stream has got: it gets none of them through a second
/// channel or target. On other nodes of a cluster an event arrives for each name by itself, with others in between.
/// Loop thread only.
class SentOnce {
 public:
  /// `event`: its id.
  bool contains(std::uint64_t event) const { return std::ranges::find(events_, event) != events_.end(); }
  /// The oldest one is forgotten.
  void add(std::uint64_t event, SteadyTime now) {
    events_[next_] = event;
    next_ = (next_ + 1) % events_.size();
    last_ = now;
  }
  /// Whether no event of the last kept time is in it.
  bool is_idle(SteadyTime now) const { return now - last_ >= kKept; }

 private:
  // Longer than an event is on its way to this node.
  static constexpr std::chrono::seconds kKept{10};

  std::array<std::uint64_t, 16> events_{};
  std::size_t next_ = 0;
  SteadyTime last_{};
};

}  // namespace sse::hub
