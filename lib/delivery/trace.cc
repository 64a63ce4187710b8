#include "delivery/trace.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sse::delivery {

std::string_view what_name(Trace::What what) {
  static constexpr std::array<std::string_view, 10> kNames{"accepted", "committed", "repeated",  "sent",    "confirmed",
                                                           "expired",  "deleted",   "collapsed", "retried", "failed"};
  return kNames.at(static_cast<std::size_t>(what));
}

void Trace::add(Entry entry) {
  MutexLock lock(mutex_);
  name_bytes_ += entry.name.size();
  entries_.push_back(std::move(entry));
  while (entries_.size() > most_ || name_bytes_ > kMaxNameBytes) {
    name_bytes_ -= entries_.front().name.size();
    entries_.pop_front();
  }
}

std::vector<Trace::Entry> Trace::of(MessageId message) const {
  std::vector<Entry> found;
  MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.message == message) found.push_back(entry);
  }
  add_failures(found);
  return found;
}

void Trace::ended(ConnectionId connection, net::CloseReason reason, WallTime time) {
  MutexLock lock(mutex_);
  if (most_ended_ == 0 || !ends_.try_emplace(connection.value(), End{time, reason}).second) return;
  ends_order_.push_back(connection.value());
  if (ends_order_.size() <= most_ended_) return;
  ends_.erase(ends_order_.front());
  ends_order_.pop_front();
}

void Trace::add_failures(std::vector<Entry>& story) const {
  const auto told = [&](const Entry& sent, What what) {
    return std::ranges::any_of(story, [&](const Entry& e) {
      return e.what == what && e.connection == sent.connection && e.kind == sent.kind && e.name == sent.name;
    });
  };
  const std::size_t happened = story.size();
  for (std::size_t i = 0; i < happened; ++i) {
    if (story[i].what != What::kSent) continue;
    const auto end = ends_.find(story[i].connection.value());
    if (end == ends_.end() || told(story[i], What::kConfirmed) || told(story[i], What::kFailed)) continue;
    Entry failed = story[i];
    failed.what = What::kFailed;
    failed.time = end->second.time;
    failed.reason = end->second.reason;
    story.push_back(std::move(failed));
  }
  // Not a sort: what happened keeps its order whatever the clock did.
  for (std::size_t i = happened; i < story.size(); ++i) {
    auto place = story.begin() + static_cast<std::ptrdiff_t>(i);
    const auto after = std::find_if(story.begin(), place, [&](const Entry& e) { return e.time > place->time; });
    std::rotate(after, place, place + 1);
  }
}

}  // namespace sse::delivery
