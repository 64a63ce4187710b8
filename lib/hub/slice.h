#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sse::hub {

/// How much of a large piece of work a shard does before its loop turns to other work.
struct SliceLimits {
  std::chrono::microseconds time{500};
  std::size_t steps = 0;  ///< appends or writes; 0: only the time counts. For tests, which then see every order
  std::size_t direct_members = 64;  ///< a delivery to a group of at most so many streams is not sliced
  std::uint32_t passes_before = 0;  ///< where Pass::number begins: for tests of what happens at its end
};

/// What is left of one slice. The clock is read once for every few steps.
class Slice {
 public:
  /// `at_least`: extends the time.
  Slice(const Clock& clock, const SliceLimits& limits, SteadyTime::duration at_least = {})
      : clock_(clock),
        max_steps_(limits.steps),
        end_(clock.steady_now() + std::max<SteadyTime::duration>(limits.time, at_least)) {}

  /// Counts steps; returns whether they were the last of the slice.
  bool spend(std::size_t steps = 1) {
    const std::size_t readings = steps_ / kStepsPerReading;
    steps_ += steps;
    if (max_steps_ != 0 && steps_ >= max_steps_) return true;
    return steps_ / kStepsPerReading != readings && clock_.steady_now() >= end_;
  }

 private:
  static constexpr std::size_t kStepsPerReading = 16;

  const Clock& clock_;
  const std::size_t max_steps_;
  const SteadyTime end_;
  std::size_t steps_ = 0;
};

}  // namespace sse::hub
