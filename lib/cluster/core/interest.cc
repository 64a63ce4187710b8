#include "cluster/core/interest.h"

#include <algorithm>
#include <utility>

namespace sse::cluster {

void Interest::acquire(const std::vector<std::string>& topics, std::function<void()> proceed) {
  std::vector<std::string> fresh;
  std::uint64_t number = 0;
  const MutexLock in_order(order_);
  {
    const MutexLock lock(mutex_);
    std::uint64_t needed = 0;
    for (const std::string& name : topics) {
      const auto [entry, is_new] = topics_.try_emplace(name);
      ++entry->second.wanted;
      if (is_new) {
        if (fresh.empty()) ++last_call_;
        entry->second.call = last_call_;
        fresh.push_back(name);
      }
      needed = std::max(needed, entry->second.call);
    }
    number = last_call_;
    if (needed > last_subscribed_call_) {
      // Keep the order: a waiter for an older call may arrive after one for a newer call.
      const auto place = std::ranges::upper_bound(waiting_, needed, {}, &Waiting::call);
      waiting_.insert(place, {needed, round_, std::exchange(proceed, nullptr)});
    }
  }
  if (!fresh.empty()) bus_.subscribe(fresh, [this, number](bool) { note_subscribed(number); });
  if (proceed) proceed();
}

void Interest::note_subscribed(std::uint64_t call) {
  std::vector<std::function<void()>> ready;
  {
    const MutexLock lock(mutex_);
    last_subscribed_call_ = std::max(last_subscribed_call_, call);
    while (!waiting_.empty() && waiting_.front().call <= last_subscribed_call_) {
      ready.push_back(std::move(waiting_.front().proceed));
      waiting_.pop_front();
    }
  }
  for (const auto& proceed : ready) proceed();
}

void Interest::release(const std::vector<std::string>& topics) {
  const MutexLock lock(mutex_);
  for (const std::string& name : topics) {
    const auto found = topics_.find(name);
    if (found == topics_.end() || --found->second.wanted != 0) continue;
    found->second.swept = false;
    unused_.push_back(name);
  }
}

void Interest::sweep() {
  std::vector<std::string> gone;
  const MutexLock in_order(order_);
  {
    const MutexLock lock(mutex_);
    std::vector<std::string> later;
    for (std::string& name : unused_) {
      const auto found = topics_.find(name);
      if (found == topics_.end() || found->second.wanted != 0) continue;
      if (!std::exchange(found->second.swept, true)) {
        later.push_back(std::move(name));
      } else {
        topics_.erase(found);
        gone.push_back(std::move(name));
      }
    }
    unused_ = std::move(later);
  }
  if (!gone.empty()) bus_.unsubscribe(gone);
}

void Interest::give_up_waiting() {
  std::vector<std::function<void()>> ready;
  {
    const MutexLock lock(mutex_);
    std::erase_if(waiting_, [&, round = round_](Waiting& one) {
      if (one.round == round) return false;
      ready.push_back(std::move(one.proceed));
      return true;
    });
    ++round_;
  }
  for (const auto& proceed : ready) proceed();
}

bool Interest::wants(const std::string& topic) const {
  const MutexLock lock(mutex_);
  const auto found = topics_.find(topic);
  return found != topics_.end() && found->second.wanted != 0;
}

std::size_t Interest::topics() const {
  const MutexLock lock(mutex_);
  return topics_.size();
}

}  // namespace sse::cluster
