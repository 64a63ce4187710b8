#pragma once

#include <cstdint>

namespace sse::server {

/// Detects the end of a burst of connects, disconnects or requests, which is when to return memory to the system
/// (malloc_trim): the allocator retains what a burst freed, and trimming during the burst would only slow it down. One
/// thread only.
class MemoryTrimmer {
 public:
  /// `least`: how many activity events make a burst.
  explicit MemoryTrimmer(std::uint64_t least) : least_(least) {}

  /// Call periodically with the total number of activity events so far. Returns true when a burst has ended: at least
  /// `least` events since it last returned true, and few since the previous call.
  bool burst_ended(std::uint64_t total_events) {
    const std::uint64_t recent_events = total_events - seen_;
    seen_ = total_events;
    if (seen_ - handled_ < least_ || recent_events > least_ / 20) return false;
    handled_ = seen_;
    return true;
  }

 private:
  const std::uint64_t least_;
  std::uint64_t seen_ = 0;
  std::uint64_t handled_ = 0;
};

}  // namespace sse::server
