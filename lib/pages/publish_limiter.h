#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace sse::pages {

/// Limits how often each stream may publish: a token bucket for each connection, which holds the events of one second.
/// What a connection has used is forgotten after that second, so that the memory is bounded by the connections that
/// publish at the same time. Thread safe.
class PublishLimiter {
 public:
  /// `rate`: events a second; 0: no limit.
  PublishLimiter(std::size_t rate, const Clock& clock) : rate_(rate), clock_(clock) {}

  /// Whether the connection may publish one more event now; counts it then.
  bool take(ConnectionId connection) EXCLUDES(mutex_);
  /// Connections that it remembers.
  std::size_t size() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return full_at_.size();
  }

 private:
  static constexpr std::size_t kSweepAbove = 1024;

  void sweep(SteadyTime now) REQUIRES(mutex_);

  const std::size_t rate_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, SteadyTime> full_at_ GUARDED_BY(mutex_);  // by connection: when its bucket is full
  std::size_t sweep_above_ GUARDED_BY(mutex_) = kSweepAbove;
};

}  // namespace sse::pages
