#include "delivery/waits.h"

#include <algorithm>
#include <string>

namespace sse::delivery {

Waits::Wait::Wait(Waits& waits, MessageId message) : waits_(waits), message_(message) {
  MutexLock lock(waits_.mutex_);
  ++waits_.messages_[message].waiters;
  waits_.waiting_.fetch_add(1);
}

Waits::Wait::~Wait() {
  MutexLock lock(waits_.mutex_);
  const auto known = waits_.messages_.find(message_);
  if (--known->second.waiters == 0) waits_.messages_.erase(known);
  waits_.waiting_.fetch_sub(1);
}

std::vector<Recipient> Waits::Wait::until(const std::vector<Recipient>& recipients, SteadyTime deadline) {
  MutexLock lock(waits_.mutex_);
  const std::vector<Recipient>& confirmed = waits_.messages_.at(message_).confirmed;
  const auto done = [&] {
    return std::ranges::all_of(recipients,
                               [&](const Recipient& r) { return std::ranges::find(confirmed, r) != confirmed.end(); });
  };
  const Clock& clock = waits_.clock_;
  while (!done() && !waits_.cancelled_ && clock.steady_now() < deadline)
    waits_.changed_.wait_until(waits_.mutex_, deadline, clock);
  return confirmed;
}

void Waits::confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
  if (waiting_.load() == 0) return;
  MutexLock lock(mutex_);
  const auto known = messages_.find(message);
  if (known == messages_.end()) return;
  known->second.confirmed.push_back({kind, std::string(name)});
  changed_.notify_all();
}

bool Waits::cancelled() const {
  const MutexLock lock(mutex_);
  return cancelled_;
}

void Waits::cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

}  // namespace sse::delivery
