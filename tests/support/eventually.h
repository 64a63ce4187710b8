#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace sse::testing {

/// Timeout of tests for expected results: far more than a busy machine under a sanitizer needs. Only a failing test
/// waits that long.
inline constexpr std::chrono::milliseconds kTimeout{60'000};

/// A pause between two looks at another process.
inline void nap() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

/// Polls `done`, which another thread or process makes true; false when it is still false after `timeout`.
template <class Done>
bool eventually(Done done, std::chrono::milliseconds timeout = kTimeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // Soon at first, for other threads; then less often, because `done` may ask another process.
  std::chrono::microseconds pause{200};
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(2000));
  }
  return true;
}

}  // namespace sse::testing
