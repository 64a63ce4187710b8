#include "hub/channel_rates.h"

#include <utility>

namespace sse::hub {

void ChannelRates::note(const std::string& channel, SteadyTime now) {
  const MutexLock lock(mutex_);
  auto entry = entries_.find(channel);
  if (entry == entries_.end()) {
    if (entries_.size() >= kMaxChannels) {
      if (now < swept_ + kWindow) return;
      swept_ = now;
      std::erase_if(entries_, [&](const auto& one) { return one.second.begin + 2 * kWindow <= now; });
      if (entries_.size() >= kMaxChannels) return;
    }
    entry = entries_.try_emplace(channel, Entry{now}).first;
  }
  Entry& known = entry->second;
  if (const auto passed = (now - known.begin) / kWindow; passed > 0) {
    known.before = passed == 1 ? known.current : 0;
    known.current = 0;
    known.begin += passed * kWindow;
  }
  ++known.current;
}

double ChannelRates::per_minute(const std::string& channel, SteadyTime now) const {
  const MutexLock lock(mutex_);
  const auto entry = entries_.find(channel);
  if (entry == entries_.end()) return 0;
  const Entry& known = entry->second;
  const double minutes = std::chrono::duration<double, std::ratio<60>>(now - known.begin).count();
  if (minutes >= 2) return 0;
  if (minutes >= 1) return static_cast<double>(known.current) * (2 - minutes);
  return static_cast<double>(known.current) + static_cast<double>(known.before) * (1 - minutes);
}

std::size_t ChannelRates::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace sse::hub
