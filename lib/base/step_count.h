#pragma once

#include <cstdint>

namespace sse {

namespace detail {
inline constinit thread_local std::uint64_t steps = 0;
}

/// Counts the steps of loops whose length clients, users or messages can multiply, in a thread-local variable. Tests
/// compare the counts for n and 2n, which unlike times do not depend on the load of the machine.
inline void count_steps(std::uint64_t steps = 1) {
  detail::steps += steps;
}

/// The steps that the calling thread has counted so far.
inline std::uint64_t steps_counted() {
  return detail::steps;
}

}  // namespace sse
