#pragma once

#include <poll.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

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

/// Has each of `callers` make one call after the other, all side by side on this thread: `begin(n)` starts the next
/// call of caller n, or returns false when there is none; `finish(n)` reads its answer when its fd() can be read. One
/// thread, because what as many threads cost would be taken from the server's cores. Throws Error(kTimeout) when nobody
/// gets an answer for a minute.
template <class Caller, class Begin, class Finish>
void side_by_side(const std::vector<std::unique_ptr<Caller>>& callers, Begin begin, Finish finish) {
  std::vector<pollfd> waiting(callers.size());
  std::size_t calling = 0;
  const auto next = [&](std::size_t n) {
    const bool began = begin(n);
    if (began) ++calling;
    waiting[n] = {began ? callers[n]->fd() : -1, POLLIN, 0};
  };
  for (std::size_t n = 0; n < callers.size(); ++n) next(n);
  while (calling > 0) {
    if (::poll(waiting.data(), waiting.size(), 60'000) <= 0)
      throw Error(ErrorCode::kTimeout, "no answer to any of the calls for a minute");
    for (std::size_t n = 0; n < callers.size(); ++n) {
      if (waiting[n].revents == 0) continue;
      finish(n);
      --calling;
      next(n);
    }
  }
}

}  // namespace sse::bench
