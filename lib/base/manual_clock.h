#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"

namespace sse {

/// A clock for tests, which stands still until it is moved. A move wakes what waits for a moment that has come:
/// condition variables, event loops and whatever else registered with on_move(). Thread safe.
///
/// A test that moves the clock before the code under test has begun to wait proves nothing, or hangs: the deadline is
/// computed from the new time then. So either it waits for the wait first (wait_for_sleepers()), or it moves the clock
/// again and again until what it expects has happened (advance_until()).
class ManualClock final : public Clock {
 public:
  /// 2026-01-01T00:00:00Z unless told otherwise. The monotonic clock starts somewhere after its zero, which stands for
  /// "never" in places.
  explicit ManualClock(WallTime wall = kStart) : wall_(to_millis(wall)) {}
  /// REQUIRES: nobody waits on it or is registered.
  ~ManualClock() override;
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  static constexpr WallTime kStart = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

  WallTime wall_now() const override { return from_millis(wall_.load()); }
  SteadyTime steady_now() const override { return SteadyTime(std::chrono::nanoseconds(steady_.load())); }
  std::chrono::milliseconds wait_time(SteadyTime deadline) const override;
  [[nodiscard]] std::shared_ptr<void> on_move(std::function<void()> moved) const override;

  /// Moves both clocks on and wakes what is due. `time` is not negative. The caller holds no mutex that a waiter needs.
  void advance(std::chrono::milliseconds time);
  /// Sets civil time alone, forwards or backwards, as an operator or NTP does; no deadline comes nearer by that.
  void set_wall(WallTime wall);

  /// How many threads wait for a moment that has not come yet: in CondVar::wait_until() or sleep_until().
  std::size_t sleepers() const EXCLUDES(mutex_);
  /// The nearest of those moments.
  std::optional<SteadyTime> next_deadline() const EXCLUDES(mutex_);
  /// Waits in real time until at least `count` threads wait; false after `patience`.
  bool wait_for_sleepers(std::size_t count, std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

  /// Moves by `step` until `done()`, with a moment of real time for other threads between two moves; false after
  /// `patience` of real time. For what happens at some moment that the test does not know exactly.
  template <class Done>
  bool advance_until(std::chrono::milliseconds step, Done done,
                     std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    const SteadyTime end = sse::steady_now() + patience;
    while (!done()) {
      if (sse::steady_now() > end) return false;
      advance(step);
      pause();
    }
    return true;
  }

 private:
  struct Sleeper {
    CondVar& changed;
    Mutex& mutex;
    SteadyTime deadline;
  };
  struct Observer;

  bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const override;
  void wake() EXCLUDES(mutex_);
  static void pause();

  static constexpr std::int64_t kSteadyStart = 1'000'000'000'000'000;

  std::atomic<std::int64_t> wall_;                  // milliseconds
  std::atomic<std::int64_t> steady_{kSteadyStart};  // nanoseconds
  mutable Mutex mutex_;
  mutable std::list<Sleeper> sleepers_ GUARDED_BY(mutex_);
  mutable std::list<Observer*> observers_ GUARDED_BY(mutex_);
};

}  // namespace sse
