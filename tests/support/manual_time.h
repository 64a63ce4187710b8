#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <utility>

#include "base/manual_clock.h"

namespace sse::testing {

/// Runs what blocks until time has passed, and moves `clock` by `step` again and again until it returns. `meanwhile`
/// runs before every step: what it does keeps pace with the clock, however slow the machine is.
template <class Blocks>
auto while_time_passes(ManualClock& clock, Blocks blocks, const std::function<void()>& meanwhile = {},
                       std::chrono::milliseconds step = std::chrono::milliseconds(10)) {
  auto result = std::async(std::launch::async, std::move(blocks));
  const bool returned = clock.advance_until(
      step,
      [&] {
        if (meanwhile) meanwhile();
        return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      },
      std::chrono::seconds(60));
  if (!returned) throw std::runtime_error("what blocks did not return, however far the clock was moved");
  return result.get();
}

}  // namespace sse::testing
