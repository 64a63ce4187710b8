#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sse::net {

/// Coarse deadlines for very many objects at 8 bytes each. The wheel holds keys, not pointers: when an object is gone,
/// its owner does not find the key. A deadline past the horizon fires early; the owner, which knows the real deadline,
/// adds the key again. One thread only.
class TimerWheel {
 public:
  TimerWheel(std::chrono::milliseconds granularity, std::size_t slots, SteadyTime start)
      : granularity_(granularity), start_(start), slots_(slots) {}

  /// Fires at or after `due` (rounded up to the granularity), or earlier when `due` is past the horizon. Returns the
  /// time at which it fires.
  SteadyTime add(std::uint64_t key, SteadyTime due) {
    std::uint64_t tick = tick_of(due) + 1;
    if (tick <= current_) tick = current_ + 1;
    if (tick >= current_ + slots_.size()) tick = current_ + slots_.size() - 1;
    slots_[tick % slots_.size()].push_back(key);
    return start_ + granularity_ * tick;
  }

  /// Calls `fire(key)` for every key whose slot has passed by `now`. `fire` may call add().
  template <class Fire>
  void advance(SteadyTime now, Fire fire) {
    const std::uint64_t target = tick_of(now);
    while (current_ < target) {
      ++current_;
      const std::vector<std::uint64_t> keys = std::exchange(slots_[current_ % slots_.size()], {});
      for (const std::uint64_t key : keys) fire(key);
    }
  }

 private:
  std::uint64_t tick_of(SteadyTime time) const {
    return time <= start_ ? 0 : static_cast<std::uint64_t>((time - start_) / granularity_);
  }

  std::chrono::milliseconds granularity_;
  SteadyTime start_;
  std::uint64_t current_ = 0;
  std::vector<std::vector<std::uint64_t>> slots_;
};

}  // namespace sse::net
