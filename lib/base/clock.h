#pragma once

#include <chrono>
#include <cstdint>

namespace sse {

/// A point in civil time, milliseconds since 1970-01-01T00:00:00Z. What is stored and shown; may jump.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// A point on the monotonic clock. What deadlines are computed with; never jumps.
using SteadyTime = std::chrono::steady_clock::time_point;

inline WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}
inline SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

inline std::int64_t to_millis(WallTime t) {
  return t.time_since_epoch().count();
}
inline WallTime from_millis(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

}  // namespace sse
