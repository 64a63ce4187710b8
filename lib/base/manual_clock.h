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

/// A clock for tests that stands still until a test moves it. A move wakes all waits that are due: condition variables,
/// event loops and callbacks registered with on_move(). Thread safe.
///
/// A test that moves the clock before the code under test has begun to wait proves nothing, or hangs: the deadline is
/// then computed from the new time. A test therefore waits for the wait first (wait_for_sleepers()), or moves the clock
/// repeatedly until the expected result (advance_until()).
class ManualClock final : public Clock {
 public:
  /// Starts at `wall`. The monotonic clock does not start at zero, because zero stands for "never" in some places.
  explicit ManualClock(WallTime wall = kStart) : wall_(to_millis(wall)) {}
  /// REQUIRES: no thread waits on it and no callback is registered.
  ~ManualClock() override;
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  static constexpr WallTime kStart = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

  WallTime wall_now() const override { return from_millis(wall_.load()); }
  SteadyTime steady_now() const override { return SteadyTime(std::chrono::nanoseconds(steady_.load())); }
  std::chrono::milliseconds wait_time(SteadyTime deadline) const override;
  [[nodiscard]] std::shared_ptr<void> on_move(std::function<void()> moved) const override;

  /// Advances both clocks and wakes the waits that are due. `time` is not negative. The caller must hold no mutex that
  /// a waiter needs.
  void advance(std::chrono::milliseconds time);
  /// Sets civil time only, forwards or backwards, as an operator or NTP does; deadlines are not affected.
  void set_wall(WallTime wall);

  /// The number of threads that wait for a deadline that has not passed: in CondVar::wait_until() or sleep_until().
  std::size_t sleepers() const EXCLUDES(mutex_);
  /// The earliest of those deadlines.
  std::optional<SteadyTime> next_deadline() const EXCLUDES(mutex_);
  /// Waits in real time until at least `count` threads wait; false after `timeout`.
  bool wait_for_sleepers(std::size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(20)) const;

  /// Advances by `step` until `done()`, with a short pause in real time for other threads after each step; false after
  /// `timeout` of real time. For events whose exact time the test does not know.
  template <class Done>
  bool advance_until(std::chrono::milliseconds step, Done done,
                     std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    const SteadyTime end = sse::steady_now() + timeout;
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
