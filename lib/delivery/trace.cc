#include "delivery/trace.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include "base/step_count.h"

namespace sse::delivery {

std::string_view step_name(Trace::Step what) {
  static constexpr std::array<std::string_view, 10> kNames{"accepted", "committed", "repeated",  "sent",    "confirmed",
                                                           "expired",  "deleted",   "collapsed", "retried", "failed"};
  return kNames.at(static_cast<std::size_t>(what));
}

void Trace::note(Entry entry) {
  batched_.add(
      [&] {
        const std::size_t bytes = entry.name.size();
        return std::pair(Item{number_.fetch_add(1, std::memory_order_relaxed), std::move(entry)}, bytes);
      },
      [this](std::vector<Item>& batch) { take(batch); });
}

void Trace::take(std::vector<Item>& batch) {
  batches_.fetch_add(1, std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  for (Item& item : batch) keep(std::move(item));
}

void Trace::keep(Item item) {
  if (!item.entry.message.valid()) {
    keep_end(item.entry);
    return;
  }
  name_bytes_ += item.entry.name.size();
  entries_.push_back(std::move(item));
  while (entries_.size() > max_ || name_bytes_ > kMaxNameBytes) {
    name_bytes_ -= entries_.front().entry.name.size();
    entries_.pop_front();
  }
}

void Trace::keep_end(const Entry& end) {
  const std::uint64_t connection = end.connection.value();
  if (max_ended_ == 0 || !ends_.try_emplace(connection, End{end.time, *end.reason}).second) return;
  ends_order_.push_back(connection);
  if (ends_order_.size() <= max_ended_) return;
  ends_.erase(ends_order_.front());
  ends_order_.pop_front();
}

std::vector<Trace::Entry> Trace::of(MessageId message) {
  batched_.collect([this](std::vector<Item>& batch) { take(batch); });
  std::vector<Item> found;
  const MutexLock lock(mutex_);
  for (const Item& item : entries_) {
    if (item.entry.message == message) found.push_back(item);
  }
  std::ranges::sort(found, {}, &Item::number);
  std::vector<Entry> story;
  story.reserve(found.size());
  for (Item& item : found) story.push_back(std::move(item.entry));
  add_failures(story);
  return story;
}

void Trace::ended(ConnectionId connection, net::CloseReason reason, WallTime time) {
  note({time, MessageId(), Step::kFailed, {}, {}, connection, reason});
}

void Trace::set_context(MessageId message, const TraceContext& context) {
  const MutexLock lock(contexts_mutex_);
  if (!contexts_.try_emplace(message.value(), context).second) return;
  has_contexts_.store(true, std::memory_order_relaxed);
  contexts_order_.push_back(message.value());
  if (contexts_order_.size() <= kMaxContexts) return;
  contexts_.erase(contexts_order_.front());
  contexts_order_.pop_front();
}

std::optional<TraceContext> Trace::context(MessageId message) const {
  if (!has_contexts_.load(std::memory_order_relaxed)) return std::nullopt;
  const MutexLock lock(contexts_mutex_);
  const auto found = contexts_.find(message.value());
  return found == contexts_.end() ? std::nullopt : std::optional(found->second);
}

void Trace::add_failures(std::vector<Entry>& story) const {
  using Sent = std::tuple<ConnectionId, event::TargetKind, std::string_view>;
  std::set<Sent> reported;
  for (const Entry& e : story) {
    count_steps();
    if (e.what == Step::kConfirmed || e.what == Step::kFailed) reported.emplace(e.connection, e.kind, e.name);
  }
  std::vector<Entry> failures;
  for (const Entry& sent : story) {
    count_steps();
    if (sent.what != Step::kSent) continue;
    const auto end = ends_.find(sent.connection.value());
    if (end == ends_.end() || !reported.emplace(sent.connection, sent.kind, sent.name).second) continue;
    Entry failed = sent;
    failed.what = Step::kFailed;
    failed.time = end->second.time;
    failed.reason = end->second.reason;
    failures.push_back(std::move(failed));
  }
  reported.clear();
  std::ranges::stable_sort(failures, {}, &Entry::time);
  // A merge, not a sort: the entries stay in order even if the clock was set.
  std::vector<Entry> all;
  all.reserve(story.size() + failures.size());
  auto failed = failures.begin();
  for (Entry& e : story) {
    for (; failed != failures.end() && failed->time < e.time; ++failed) all.push_back(std::move(*failed));
    all.push_back(std::move(e));
  }
  std::move(failed, failures.end(), std::back_inserter(all));
  story = std::move(all);
}

}  // namespace sse::delivery
