#include "delivery/unreached_messages.h"

#include <algorithm>
#include <string>
#include <utility>

#include "observe/log.h"

namespace sse::delivery {

void UnreachedMessages::add(std::span<const MessageId> messages) {
  bool report = false;
  {
    const MutexLock lock(mutex_);
    messages_.insert(messages_.end(), messages.begin(), messages.end());
    if (messages_.size() > kMax) {
      messages_.erase(messages_.begin(), messages_.end() - kMax);
      report = !std::exchange(reported_, true);
    }
  }
  if (report) {
    observe::log_warn(
        "too many messages wait for nodes that do not answer: streams there get the oldest when they reconnect",
        {{"limit", std::to_string(kMax)}});
  }
}

std::vector<MessageId> UnreachedMessages::take(std::size_t most) {
  const MutexLock lock(mutex_);
  const auto end = messages_.begin() + static_cast<std::ptrdiff_t>(std::min(most, messages_.size()));
  std::vector<MessageId> taken(messages_.begin(), end);
  messages_.erase(messages_.begin(), end);
  if (messages_.empty()) reported_ = false;
  std::ranges::sort(taken);
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  return taken;
}

bool UnreachedMessages::empty() const {
  const MutexLock lock(mutex_);
  return messages_.empty();
}

}  // namespace sse::delivery
