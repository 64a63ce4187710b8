#include "base/manual_clock.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace sse {

struct ManualClock::Observer {
  Observer(const ManualClock& of, std::function<void()> call) : clock(of), moved(std::move(call)) {
    const MutexLock lock(clock.mutex_);
    clock.observers_.push_back(this);
  }
  ~Observer() {
    const MutexLock lock(clock.mutex_);
    clock.observers_.remove(this);
  }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  const ManualClock& clock;
  const std::function<void()> moved;
};

ManualClock::~ManualClock() {
  const MutexLock lock(mutex_);
  if (sleepers_.empty() && observers_.empty()) return;
  std::fprintf(stderr, "defect: a ManualClock is destroyed while something waits on it\n");
  std::abort();
}

std::chrono::milliseconds ManualClock::wait_time(SteadyTime deadline) const {
  return deadline <= steady_now() ? std::chrono::milliseconds(0) : std::chrono::minutes(1);
}

std::shared_ptr<void> ManualClock::on_move(std::function<void()> moved) const {
  return std::make_shared<Observer>(*this, std::move(moved));
}

void ManualClock::advance(std::chrono::milliseconds time) {
  wall_ += time.count();
  steady_ += std::chrono::nanoseconds(time).count();
  wake();
}

void ManualClock::set_wall(WallTime wall) {
  wall_ = to_millis(wall);
  wake();
}

// A waiter holds its mutex from before it reads the time until it is in the wait, so that a notification under that
// mutex cannot fall in between. This function only tries the mutex, and releases mutex_ between tries: the waiter takes
// the two in the opposite order.
void ManualClock::wake() SSE_NO_ANALYSIS {
  const SteadyTime now = steady_now();
  for (bool missed = true; missed;) {
    missed = false;
    {
      const MutexLock lock(mutex_);
      for (Sleeper& sleeper : sleepers_) {
        if (sleeper.deadline > now) continue;
        // The waiter leaves the list by itself once it runs; until then it may be notified again.
        missed = true;
        if (!sleeper.mutex.try_lock()) continue;
        sleeper.changed.notify_all();
        sleeper.mutex.unlock();
      }
    }
    if (missed) pause();
  }
  const MutexLock lock(mutex_);
  for (const Observer* observer : observers_) observer->moved();
}

bool ManualClock::wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const SSE_NO_ANALYSIS {
  std::list<Sleeper>::iterator self;
  {
    const MutexLock lock(mutex_);
    self = sleepers_.insert(sleepers_.end(), Sleeper{changed, mutex, deadline});
  }
  if (steady_now() < deadline) changed.wait(mutex);
  const MutexLock lock(mutex_);
  sleepers_.erase(self);
  return steady_now() < deadline;
}

std::size_t ManualClock::sleepers() const {
  const SteadyTime now = steady_now();
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(sleepers_.begin(), sleepers_.end(), [&](const Sleeper& s) { return s.deadline > now; }));
}

std::optional<SteadyTime> ManualClock::next_deadline() const {
  const SteadyTime now = steady_now();
  const MutexLock lock(mutex_);
  std::optional<SteadyTime> next;
  for (const Sleeper& sleeper : sleepers_)
    if (sleeper.deadline > now && (!next || sleeper.deadline < *next)) next = sleeper.deadline;
  return next;
}

bool ManualClock::wait_for_sleepers(std::size_t count, std::chrono::milliseconds timeout) const {
  const SteadyTime end = sse::steady_now() + timeout;
  while (sleepers() < count) {
    if (sse::steady_now() > end) return false;
    pause();
  }
  return true;
}

void ManualClock::pause() {
  std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace sse
