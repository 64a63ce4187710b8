#include "presence/occupancy.h"

namespace sse::presence {

void Occupancy::shard_changed(const ServiceName& service, const std::string& channel, bool occupied, SteadyTime now) {
  const Key key{service.str(), channel};
  if (occupied) {
    const auto [entry, is_new] = channels_.try_emplace(key);
    if (entry->second.shards++ == 0 && !is_new) leaving_.erase({entry->second.vacated, key});
    if (is_new) report_(service, channel, true);
    return;
  }
  const auto entry = channels_.find(key);
  if (entry == channels_.end() || entry->second.shards == 0 || --entry->second.shards != 0) return;
  entry->second.vacated = now + grace_;
  leaving_.emplace(entry->second.vacated, key);
  if (leaving_.size() > kMaxWaiting) expire(leaving_.begin()->first);
}

void Occupancy::expire(SteadyTime now) {
  while (!leaving_.empty() && leaving_.begin()->first <= now) {
    const Key key = leaving_.begin()->second;
    leaving_.erase(leaving_.begin());
    channels_.erase(key);
    report_(ServiceName(key.first), key.second, false);
  }
}

std::optional<SteadyTime> Occupancy::next_expiry() const {
  if (leaving_.empty()) return std::nullopt;
  return leaving_.begin()->first;
}

}  // namespace sse::presence
