#include "delivery/waiting_sends.h"

#include <pthread.h>

#include <algorithm>

#include "observe/barrier.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kCheckers = 4;
constexpr std::chrono::seconds kIdle{10};

}  // namespace

// Every wait is in the queue of the pool at most once, so that the number of waits bounds it.
WaitingSends::WaitingSends(const Clock& clock)
    : clock_(clock), checkers_("sse-wait-look", 0, kCheckers, SIZE_MAX, kIdle, clock) {}

void WaitingSends::start() {
  const MutexLock lock(mutex_);
  if (!stopping_) begin();
}

void WaitingSends::begin() {
  if (thread_.joinable()) return;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-waits-over");
    run();
  });
}

void WaitingSends::add(MessageId message, SteadyTime deadline, std::chrono::milliseconds period, Check check) {
  {
    const MutexLock lock(mutex_);
    if (!stopping_) {
      begin();
      const Key key = next_++;
      by_message_[message.value()].push_back(key);
      Wait& wait = waits_.emplace(key, Wait{message, deadline, period, std::move(check), {}}).first->second;
      schedule(key, wait, SteadyTime{});
      return;
    }
  }
  check(true);
}

void WaitingSends::schedule(Key key, Wait& wait, SteadyTime when) {
  due_.erase({wait.due, key});
  wait.due = cancelled_ ? SteadyTime{} : when;
  const bool first = due_.empty() || wait.due < due_.begin()->first;
  due_.emplace(wait.due, key);
  if (first) changed_.notify_all();
}

void WaitingSends::check_async(Key key, Wait& wait) {
  if (wait.looking) {
    wait.check_again = true;
  } else {
    schedule(key, wait, SteadyTime{});
  }
}

void WaitingSends::confirmed(MessageId message) {
  const MutexLock lock(mutex_);
  const auto found = by_message_.find(message.value());
  if (found == by_message_.end()) return;
  for (const Key key : found->second) check_async(key, waits_.at(key));
}

void WaitingSends::check_all() {
  const MutexLock lock(mutex_);
  for (auto& [key, wait] : waits_) check_async(key, wait);
}

std::size_t WaitingSends::size() const {
  const MutexLock lock(mutex_);
  return waits_.size();
}

void WaitingSends::cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  for (auto& [key, wait] : waits_) check_async(key, wait);
  changed_.notify_all();
}

void WaitingSends::stop() {
  cancel();
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    while (!waits_.empty()) changed_.wait(mutex_);
    changed_.notify_all();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
  checkers_.stop();
}

void WaitingSends::run() {
  const MutexLock lock(mutex_);
  while (!stopping_ || !waits_.empty()) {
    if (due_.empty()) {
      changed_.wait(mutex_);
      continue;
    }
    const auto [when, key] = *due_.begin();
    if (when > clock_.steady_now()) {
      changed_.wait_until(mutex_, when, clock_);
      continue;
    }
    due_.erase(due_.begin());
    Wait& wait = waits_.at(key);
    wait.looking = true;
    // The pool has no thread and the system cannot create one: retry later.
    if (!checkers_.submit([this, key = key] { check(key); })) {
      wait.looking = false;
      wait.due = clock_.steady_now() + std::chrono::milliseconds(100);
      due_.emplace(wait.due, key);
    }
  }
}

void WaitingSends::check(Key key) {
  Check* check = nullptr;
  bool over = false;
  {
    const MutexLock lock(mutex_);
    Wait& wait = waits_.at(key);
    wait.check_again = false;
    over = cancelled_ || clock_.steady_now() >= wait.deadline;
    check = &wait.check;  // no other thread uses the wait or its check while it is `looking`
  }
  bool done = over;
  const bool looked = observe::guarded("a sender that waits for a confirmation", [&] { done = (*check)(over); });
  Check gone;
  const MutexLock lock(mutex_);
  const auto found = waits_.find(key);
  Wait& wait = found->second;
  if (!done && looked && !over) {
    wait.looking = false;
    const SteadyTime next =
        wait.period.count() == 0 ? wait.deadline : std::min(wait.deadline, clock_.steady_now() + wait.period);
    schedule(key, wait, wait.check_again ? SteadyTime{} : next);
    return;
  }
  gone = std::move(wait.check);
  const auto others = by_message_.find(wait.message.value());
  std::erase(others->second, key);
  if (others->second.empty()) by_message_.erase(others);
  waits_.erase(found);
  if (waits_.empty()) changed_.notify_all();
}

}  // namespace sse::delivery
