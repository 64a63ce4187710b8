#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <utility>

#include "base/manual_clock.h"

namespace sse::testing {

/// When while_time_passes() advances the clock: always, or only while a thread waits on it, so that the clock does not
/// advance during work that takes real time, such as a request to another process.
enum class Moves { kAlways, kForSleepers };

/// Runs `blocks`, which blocks until time has passed, and advances `clock` by `step` repeatedly until it returns.
/// `meanwhile` runs before every step, and so keeps pace with the clock on a slow machine.
template <class Blocks>
auto while_time_passes(ManualClock& clock, Blocks blocks, const std::function<void()>& meanwhile = {},
                       Moves moves = Moves::kAlways, std::chrono::milliseconds step = std::chrono::milliseconds(10)) {
  auto result = std::async(std::launch::async, std::move(blocks));
  const SteadyTime end = steady_now() + std::chrono::seconds(60);
  while (result.wait_for(std::chrono::microseconds(100)) != std::future_status::ready) {
    if (steady_now() > end) throw std::runtime_error("what blocks did not return, however far the clock was moved");
    if (meanwhile) meanwhile();
    if (moves == Moves::kAlways || clock.sleepers() != 0) clock.advance(step);
  }
  return result.get();
}

}  // namespace sse::testing
