#pragma once

#include <chrono>
#include <cstdint>

#include "base/ids.h"

namespace sse::hub {

/// A time from 0 to `most`, evenly spread over the connections, so that clients do not all reconnect at once.
inline std::chrono::milliseconds spread_over(ConnectionId id, std::chrono::milliseconds most) {
  // The finalizer of splitmix64, because ids differ in few bits.
  std::uint64_t x = id.value();
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return std::chrono::milliseconds(x % (static_cast<std::uint64_t>(most.count()) + 1));
}

}  // namespace sse::hub
