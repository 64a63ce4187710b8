#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace sse::delivery {

/// Stored messages of which another node may not know, because it did not answer or could not be asked. A stream there
/// that is open would get them only when it reconnects, so they are published again after kDelay: a node that was only
/// slow has confirmed them by then, or is no longer a node. Thread safe.
class UnreachedMessages {
 public:
  static constexpr std::size_t kMax = 10'000;
  static constexpr std::chrono::seconds kDelay{15};

  /// Adds them; beyond kMax the oldest are dropped, which is logged once until take() has emptied it.
  void add(std::span<const MessageId> messages, SteadyTime now) EXCLUDES(mutex_);
  /// Removes and returns the oldest that are due, ascending, without duplicates.
  std::vector<MessageId> take(std::size_t most, SteadyTime now) EXCLUDES(mutex_);
  /// Whether one is due.
  bool due(SteadyTime now) const EXCLUDES(mutex_);

 private:
  struct Entry {
    MessageId message;
    SteadyTime due;
  };

  mutable Mutex mutex_;
  std::deque<Entry> messages_ GUARDED_BY(mutex_);
  bool reported_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::delivery
