#pragma once

#include <thread>

#include "base/clock.h"

namespace sse::bench {

/// Calls `send(n, due)` for n from 0 at a rate; what is behind is caught up with, and `due` tells when it should have
/// been.
template <class Send>
void at_rate(double per_second, std::size_t count, Send send) {
  const SteadyTime start = steady_now();
  for (std::size_t n = 0; n < count; ++n) {
    const SteadyTime due = start + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       std::chrono::duration<double>(static_cast<double>(n) / per_second));
    std::this_thread::sleep_until(due);
    send(n, due);
  }
}

}  // namespace sse::bench
