#pragma once

#include <cstdint>

namespace sse {

namespace detail {
inline constinit thread_local std::uint64_t steps = 0;
}

/// Counts the steps of loops whose length clients, users or messages can multiply: one addition to a variable of the
/// thread. Tests compare the counts of n and of 2n, which no busy machine can spoil, where a clock would be read.
inline void count_steps(std::uint64_t steps = 1) {
  detail::steps += steps;
}

/// Steps the calling thread has counted so far.
inline std::uint64_t steps_counted() {
  return detail::steps;
}

}  // namespace sse
