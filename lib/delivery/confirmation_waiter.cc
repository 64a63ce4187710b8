#include "delivery/confirmation_waiter.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/step_count.h"
#include "observe/barrier.h"

namespace sse::delivery {

ConfirmationWaiter::~ConfirmationWaiter() {
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

void ConfirmationWaiter::start() {
  const MutexLock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void ConfirmationWaiter::run() {
  pthread_setname_np(pthread_self(), "sse-waits");
  while (!stopping_.load()) {
    const std::uint32_t seen = wakes_.load();
    observe::guarded("the confirmation waiter", [this] { take_and_report(); });
    if (!stopping_.load()) wakes_.wait(seen);
  }
}

// until() pops confirmations, too, but leaves the reports to this thread, which is woken for the first one pushed.
void ConfirmationWaiter::take_and_report() {
  std::vector<MessageId> complete;
  {
    const MutexLock lock(mutex_);
    take_confirmations();
    complete.swap(complete_);
  }
  for (const MessageId message : complete) on_complete_(message);
}

void ConfirmationWaiter::wake() {
  wakes_.fetch_add(1);
  wakes_.notify_one();
}

ConfirmationWaiter::Wait::Wait(ConfirmationWaiter& waits, MessageId message)
    : confirmation_waiter_(waits), message_(message) {
  confirmation_waiter_.start();
  const MutexLock lock(confirmation_waiter_.mutex_);
  confirmation_waiter_.messages_[message].waiters.push_back(this);
  confirmation_waiter_.waited_for_.at(slot_of(message)).fetch_add(1);
  confirmation_waiter_.waiting_.fetch_add(1);
}

ConfirmationWaiter::Wait::~Wait() {
  const MutexLock lock(confirmation_waiter_.mutex_);
  confirmation_waiter_.waiting_.fetch_sub(1);
  confirmation_waiter_.waited_for_.at(slot_of(message_)).fetch_sub(1);
  const auto known = confirmation_waiter_.messages_.find(message_);
  std::erase(known->second.waiters, this);
  if (known->second.waiters.empty()) confirmation_waiter_.messages_.erase(known);
}

std::vector<store::Recipient> ConfirmationWaiter::Wait::until(const std::vector<store::Recipient>& recipients,
                                                              SteadyTime deadline) {
  const MutexLock lock(confirmation_waiter_.mutex_);
  confirmation_waiter_.take_confirmations();
  const auto& confirmed = confirmation_waiter_.messages_.at(message_).confirmed;
  missing_.clear();
  count_steps(recipients.size());
  for (const store::Recipient& recipient : recipients) {
    if (!confirmed.contains(recipient)) missing_.insert(recipient);
  }
  const Clock& clock = confirmation_waiter_.clock_;
  while (!missing_.empty() && !confirmation_waiter_.cancelled_ && clock.steady_now() < deadline)
    changed_.wait_until(confirmation_waiter_.mutex_, deadline, clock);
  confirmation_waiter_.take_confirmations();
  return {confirmed.begin(), confirmed.end()};
}

void ConfirmationWaiter::confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
  if (waiting_.load() == 0 || waited_for_.at(slot_of(message)).load() == 0) return;
  auto fresh = std::make_unique<Confirmation>(Confirmation{message, {kind, std::string(name)}});
  Confirmation* before = confirmations_.load(std::memory_order_relaxed);
  do {
    fresh->next = before;
  } while (!confirmations_.compare_exchange_weak(before, fresh.get()));
  // The thread that pops the confirmation owns it now, and may have deleted it already.
  static_cast<void>(fresh.release());
  // Only the push onto the empty stack wakes the thread; for later ones it is awake or about to be woken.
  if (before == nullptr) wake();
}

void ConfirmationWaiter::take_confirmations() {
  Confirmation* next = confirmations_.exchange(nullptr);
  while (next != nullptr) {
    const std::unique_ptr<Confirmation> one(std::exchange(next, next->next));
    note(*one);
  }
}

void ConfirmationWaiter::note(Confirmation& confirmation) {
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
  if (complete && on_complete_) complete_.push_back(confirmation.message);
}

void ConfirmationWaiter::cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  for (auto& [id, message] : messages_) {
    for (Wait* wait : message.waiters) wait->changed_.notify_all();
  }
}

}  // namespace sse::delivery
