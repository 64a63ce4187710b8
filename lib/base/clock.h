#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "sse-server/units.h"

namespace sse {

class CondVar;
class Mutex;

/// A point on the monotonic clock, for deadlines; never jumps.
using SteadyTime = std::chrono::steady_clock::time_point;

/// The source of time of a server. Code that reads the time or waits for a deadline gets a clock at construction and
/// uses only that one, so that a test can pass a ManualClock (base/manual_clock.h): advancing it by an hour takes no
/// time and ends every wait that is due by then. Two servers in one process may have different clocks.
///
/// Not covered, because they cannot be controlled from here: Redis' expiry and TIME, the kernel's TCP, browsers.
///
/// Thread safe. Must outlive all objects that use it. Users of a clock cannot move it: all functions are const.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The system's clock, valid until the process ends.
  static const Clock& system();

  virtual WallTime wall_now() const = 0;
  virtual SteadyTime steady_now() const = 0;

  /// For code that waits with poll(2) or epoll_wait(2): how long that may block before it has to read this clock again,
  /// rounded up to milliseconds; 0 when `deadline` has passed. A ManualClock returns a minute for a deadline that is
  /// not due yet: its waiters must also be woken by on_move().
  virtual std::chrono::milliseconds wait_time(SteadyTime deadline) const = 0;
  /// Calls `moved` after every move of a ManualClock, on the thread that moves it, until the returned handle is
  /// destroyed (which waits for a running call). Returns null for the system's clock. `moved` may only wake a thread:
  /// it must not call this clock.
  [[nodiscard]] virtual std::shared_ptr<void> on_move(std::function<void()> moved) const = 0;

  /// Blocks the calling thread until this clock reaches `deadline`.
  void sleep_until(SteadyTime deadline) const;
  void sleep_for(SteadyTime::duration time) const { sleep_until(steady_now() + time); }

 private:
  friend class CondVar;
  /// A wait of `changed`, see CondVar::wait_until().
  virtual bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const = 0;
};

/// The system's clocks, for programs and tests without a clock of their own. Not for lib/, where a clock is passed in.
inline WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}
inline SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

inline std::int64_t to_millis(WallTime t) {
  return t.time_since_epoch().count();
}
inline WallTime from_millis(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

}  // namespace sse
