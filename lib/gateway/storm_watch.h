#pragma once

#include <cstdint>

namespace sse::gateway {

/// Tells when a storm of connects, disconnects or requests is over, which is the moment to hand memory back to the
/// system: the allocator keeps what a burst freed, and asking it for the pages back in the middle of one would only
/// slow the burst. One thread only.
class StormWatch {
 public:
  /// `least`: how many happenings make a storm.
  explicit StormWatch(std::uint64_t least) : least_(least) {}

  /// To be called once in a while, each time with how much has happened in all, ever. True when a storm has ended: much
  /// has happened since it was last true, and next to nothing since the call before.
  bool over(std::uint64_t happened) {
    const std::uint64_t lately = happened - seen_;
    seen_ = happened;
    if (seen_ - handled_ < least_ || lately > least_ / 20) return false;
    handled_ = seen_;
    return true;
  }

 private:
  const std::uint64_t least_;
  std::uint64_t seen_ = 0;
  std::uint64_t handled_ = 0;
};

}  // namespace sse::gateway
