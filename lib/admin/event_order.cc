#include "admin/event_order.h"

#include <utility>

namespace sse::admin {

void EventOrder::start(std::uint64_t sequence) {
  last_ = sequence;
  waiting_.clear();
}

void EventOrder::add(application::ActivityEventRef activity) {
  if (const std::uint64_t sequence = activity->sequence; sequence > last_)
    waiting_.insert_or_assign(sequence, std::move(activity));
}

void EventOrder::skip(std::uint64_t sequence) {
  if (sequence > last_) waiting_.try_emplace(sequence);
}

std::vector<EventOrder::Entry> EventOrder::take() {
  std::vector<Entry> entries;
  for (auto next = waiting_.begin(); next != waiting_.end(); next = waiting_.erase(next)) {
    auto& [sequence, activity] = *next;
    std::uint64_t missed = sequence - last_ - 1;
    if (missed > 0 && waiting_.size() <= kMaxWaiting) break;
    if (!activity) ++missed;
    last_ = sequence;
    if (missed > 0) entries.push_back({nullptr, missed});
    if (activity) entries.push_back({std::move(activity), 0});
  }
  return entries;
}

}  // namespace sse::admin
