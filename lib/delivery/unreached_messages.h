#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"

namespace sse::delivery {

/// Stored messages of which another node may not know, because it did not answer or could not be asked. A stream there
/// that is open would get them only when it reconnects, so they are published again. Thread safe.
class UnreachedMessages {
 public:
  static constexpr std::size_t kMax = 10'000;

  /// Adds them; beyond kMax the oldest are dropped, which is logged once until take() has emptied it.
  void add(std::span<const MessageId> messages) EXCLUDES(mutex_);
  /// Removes and returns the oldest, ascending, without duplicates.
  std::vector<MessageId> take(std::size_t most) EXCLUDES(mutex_);
  bool empty() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::deque<MessageId> messages_ GUARDED_BY(mutex_);
  bool reported_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::delivery
