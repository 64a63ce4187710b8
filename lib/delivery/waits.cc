#include "delivery/waits.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/step_count.h"
#include "observe/barrier.h"

namespace sse::delivery {

Waits::~Waits() {
  stopping_.store(true);
  wake();
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
  const MutexLock lock(mutex_);
  take_confirmations();
}

void Waits::start() {
  const MutexLock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void Waits::run() {
  pthread_setname_np(pthread_self(), "sse-waits");
  while (!stopping_.load()) {
    const std::uint32_t seen = wakes_.load();
    observe::guarded("those who wait for confirmations", [this] { take_and_report(); });
    if (!stopping_.load()) wakes_.wait(seen);
  }
}

// Whoever else takes from the stack leaves the report to this thread, which is woken for the first that was pushed.
void Waits::take_and_report() {
  std::vector<MessageId> complete;
  {
    const MutexLock lock(mutex_);
    take_confirmations();
    complete.swap(complete_);
  }
  for (const MessageId message : complete) heard_(message);
}

void Waits::wake() {
  wakes_.fetch_add(1);
  wakes_.notify_one();
}

Waits::Wait::Wait(Waits& waits, MessageId message) : waits_(waits), message_(message) {
  waits_.start();
  const MutexLock lock(waits_.mutex_);
  waits_.messages_[message].waiters.push_back(this);
  waits_.waited_for_.at(slot_of(message)).fetch_add(1);
  waits_.waiting_.fetch_add(1);
}

Waits::Wait::~Wait() {
  const MutexLock lock(waits_.mutex_);
  waits_.waiting_.fetch_sub(1);
  waits_.waited_for_.at(slot_of(message_)).fetch_sub(1);
  const auto known = waits_.messages_.find(message_);
  std::erase(known->second.waiters, this);
  if (known->second.waiters.empty()) waits_.messages_.erase(known);
}

std::vector<Recipient> Waits::Wait::until(const std::vector<Recipient>& recipients, SteadyTime deadline) {
  const MutexLock lock(waits_.mutex_);
  waits_.take_confirmations();
  const auto& confirmed = waits_.messages_.at(message_).confirmed;
  missing_.clear();
  count_steps(recipients.size());
  for (const Recipient& recipient : recipients) {
    if (!confirmed.contains(recipient)) missing_.insert(recipient);
  }
  const Clock& clock = waits_.clock_;
  while (!missing_.empty() && !waits_.cancelled_ && clock.steady_now() < deadline)
    changed_.wait_until(waits_.mutex_, deadline, clock);
  waits_.take_confirmations();
  return {confirmed.begin(), confirmed.end()};
}

void Waits::confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
  if (waiting_.load() == 0 || waited_for_.at(slot_of(message)).load() == 0) return;
  auto fresh = std::make_unique<Confirmation>(Confirmation{message, {kind, std::string(name)}});
  Confirmation* before = confirmations_.load(std::memory_order_relaxed);
  do {
    fresh->next = before;
  } while (!confirmations_.compare_exchange_weak(before, fresh.get()));
  // From here on it belongs to whoever takes it, and may be gone.
  static_cast<void>(fresh.release());
  // Who pushed onto others has nobody to wake: whoever pushed the first of them has, or does.
  if (before == nullptr) wake();
}

void Waits::take_confirmations() {
  Confirmation* next = confirmations_.exchange(nullptr);
  while (next != nullptr) {
    const std::unique_ptr<Confirmation> one(std::exchange(next, next->next));
    note(*one);
  }
}

void Waits::note(Confirmation& confirmation) {
  count_steps();
  const auto known = messages_.find(confirmation.message);
  if (known == messages_.end()) return;
  bool complete = false;
  for (Wait* wait : known->second.waiters) {
    count_steps();
    if (wait->missing_.erase(confirmation.recipient) == 0 || !wait->missing_.empty()) continue;
    wait->changed_.notify_all();
    complete = true;
  }
  known->second.confirmed.insert(std::move(confirmation.recipient));
  if (complete && heard_) complete_.push_back(confirmation.message);
}

void Waits::cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  for (auto& [id, message] : messages_) {
    for (Wait* wait : message.waiters) wait->changed_.notify_all();
  }
}

}  // namespace sse::delivery
