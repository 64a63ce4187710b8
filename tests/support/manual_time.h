#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <utility>

#include "base/manual_clock.h"

namespace sse::testing {

/// When while_time_passes() moves the clock: always, or only while a thread waits for it, so that time stands still for
/// what takes real time, such as a call of another program.
enum class Moves { kAlways, kForSleepers };

/// Runs what blocks until time has passed, and moves `clock` by `step` again and again until it returns. `meanwhile`
/// runs before every step: what it does keeps pace with the clock, however slow the machine is.
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
