#include "pages/publish_limiter.h"

#include <algorithm>
#include <chrono>

namespace sse::pages {

bool PublishLimiter::take(ConnectionId connection) {
  if (rate_ == 0) return true;
  constexpr SteadyTime::duration kBucket = std::chrono::seconds(1);
  const SteadyTime::duration one = kBucket / static_cast<SteadyTime::rep>(rate_);
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  if (full_at_.size() > sweep_above_) sweep(now);
  SteadyTime& full = full_at_.try_emplace(connection.value(), now).first->second;
  const SteadyTime next = std::max(full, now) + one;
  if (next > now + kBucket) return false;
  full = next;
  return true;
}

// The next sweep waits until the map has doubled, so that a sweep costs each event a constant time.
void PublishLimiter::sweep(SteadyTime now) {
  std::erase_if(full_at_, [now](const auto& one) { return one.second <= now; });
  sweep_above_ = std::max(kSweepAbove, 2 * full_at_.size());
}

}  // namespace sse::pages
