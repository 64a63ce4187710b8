#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace sse {

/// A recent point on the monotonic clock in four bytes, for things held by the ten thousand: to 10 ms, and good for as
/// long as it is less than 497 days ago.
class CoarseTime {
 public:
  CoarseTime() = default;
  explicit CoarseTime(SteadyTime time) : ticks_(ticks_of(time)) {}

  /// REQUIRES: `now` is not before it.
  std::chrono::milliseconds age(SteadyTime now) const {
    return std::chrono::milliseconds(std::int64_t{10} * (ticks_of(now) - ticks_));
  }
  /// The point itself, to 10 ms either way.
  SteadyTime at(SteadyTime now) const { return now - age(now); }

 private:
  static std::uint32_t ticks_of(SteadyTime time) {
    return static_cast<std::uint32_t>(time.time_since_epoch() / std::chrono::milliseconds(10));
  }

  std::uint32_t ticks_ = 0;
};

}  // namespace sse
