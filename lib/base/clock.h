#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace sse {

class CondVar;
class Mutex;

/// A point in civil time, milliseconds since 1970-01-01T00:00:00Z. What is stored and shown; may jump.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// A point on the monotonic clock. What deadlines are computed with; never jumps.
using SteadyTime = std::chrono::steady_clock::time_point;

/// What a server takes its time from. Whatever looks at the time or waits for a moment is given a clock when it is
/// made and asks that one, so that a test can put a ManualClock (base/manual_clock.h) there: moving it by an hour takes
/// no time and ends every wait that is due by then. Two servers in one process may have different clocks.
///
/// Not covered, because nobody here can move them: Redis' expiry and TIME, the kernel's TCP, browsers.
///
/// Thread safe. Outlives whatever was given it. Who is given a clock cannot move it: everything here is const.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The system's clock, for the life of the process.
  static const Clock& system();

  virtual WallTime wall_now() const = 0;
  virtual SteadyTime steady_now() const = 0;

  /// For code that waits with poll(2) or epoll_wait(2): how long that may block before it has to look at this clock
  /// again, rounded up to milliseconds; 0 when `deadline` has passed. A clock that is moved by hand answers a minute
  /// for what is not due yet: who waits must also be woken by on_move().
  virtual std::chrono::milliseconds wait_time(SteadyTime deadline) const = 0;
  /// Calls `moved` after every move of a clock that is moved by hand, on the thread that moves it, until the returned
  /// handle is destroyed (which waits for a call under way). Null for a clock that moves by itself. `moved` may only
  /// wake a thread: it must not call this clock.
  [[nodiscard]] virtual std::shared_ptr<void> on_move(std::function<void()> moved) const = 0;

  /// Blocks the calling thread until the clock has moved on that far.
  void sleep_until(SteadyTime deadline) const;
  void sleep_for(SteadyTime::duration time) const { sleep_until(steady_now() + time); }

 private:
  friend class CondVar;
  /// One wait of `changed`, see CondVar::wait_until().
  virtual bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const = 0;
};

/// The system's clocks, for programs and tests that need no clock of their own. Not for lib/: there a clock is passed
/// in.
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
