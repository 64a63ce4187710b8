#include "delivery/unreached_messages.h"

#include <algorithm>
#include <string>
#include <utility>

#include "observe/log.h"

namespace sse::delivery {

void UnreachedMessages::add(std::span<const MessageId> messages, SteadyTime now) {
  bool report = false;
  {
    const MutexLock lock(mutex_);
    for (const MessageId message : messages) messages_.push_back({message, now + kDelay});
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

std::vector<MessageId> UnreachedMessages::take(std::size_t most, SteadyTime now) {
  const MutexLock lock(mutex_);
  std::vector<MessageId> taken;
  while (taken.size() < most && !messages_.empty() && messages_.front().due <= now) {
    taken.push_back(messages_.front().message);
    messages_.pop_front();
  }
  if (messages_.empty()) reported_ = false;
  std::ranges::sort(taken);
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  return taken;
}

bool UnreachedMessages::due(SteadyTime now) const {
  const MutexLock lock(mutex_);
  return !messages_.empty() && messages_.front().due <= now;
}

}  // namespace sse::delivery
