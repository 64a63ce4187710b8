#pragma once

#include <poll.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace sse::bench {

/// Calls `send(n, due)` for n from 0 at a fixed rate. Late calls follow immediately; `due` is when a call was due.
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

/// Runs the calls of all `callers` concurrently on this thread, one call at a time for each caller: `begin(n)` starts
/// the next call of caller n, or returns false if there is none; `finish(n)` reads the response when fd() is readable.
/// It uses a single thread, because many threads would take CPU time from the server. Throws Error(kTimeout) if no
/// response arrives for a minute.
template <class Caller, class Begin, class Finish>
void run_concurrently(const std::vector<std::unique_ptr<Caller>>& callers, Begin begin, Finish finish) {
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
      throw Error(ErrorCode::kTimeout, "no response to any call for a minute");
    for (std::size_t n = 0; n < callers.size(); ++n) {
      if (waiting[n].revents == 0) continue;
      finish(n);
      --calling;
      next(n);
    }
  }
}

}  // namespace sse::bench
