#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sse::net {

/// Coarse deadlines for very many things at 8 bytes each. It holds keys, not pointers: what is gone by the time its
/// slot comes round is simply not found by the owner. A deadline past the horizon fires early; the owner, who knows the
/// real deadline, adds the key again. One thread only.
class TimerWheel {
 public:
  TimerWheel(std::chrono::milliseconds granularity, std::size_t slots, SteadyTime start)
      : granularity_(granularity), start_(start), slots_(slots) {}

  /// Fires not before `due` (rounded up to the granularity), unless that is past the horizon. Returns when it will
  /// fire.
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
