#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace sse {

/// A recent point on the monotonic clock in four bytes, for objects that exist in large numbers. The resolution is 10
/// ms; valid for 497 days.
class CoarseTime {
 public:
  CoarseTime() = default;
  explicit CoarseTime(SteadyTime time) : ticks_(ticks_of(time)) {}

  /// The time since this point. REQUIRES: `now` is not earlier.
  std::chrono::milliseconds age(SteadyTime now) const {
    return std::chrono::milliseconds(std::int64_t{10} * (ticks_of(now) - ticks_));
  }
  /// The point itself, within 10 ms.
  SteadyTime at(SteadyTime now) const { return now - age(now); }

 private:
  static std::uint32_t ticks_of(SteadyTime time) {
    return static_cast<std::uint32_t>(time.time_since_epoch() / std::chrono::milliseconds(10));
  }

  std::uint32_t ticks_ = 0;
};

}  // namespace sse
