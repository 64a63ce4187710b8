#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace sse::observe {

/// Limits how often a line is logged that outsiders can cause at any rate, and counts what it leaves out. Thread safe.
class LogThrottle {
 public:
  /// At most `lines` lines in each `interval`, which begins with its first line.
  explicit LogThrottle(std::chrono::nanoseconds interval, int lines = 1) : interval_(interval), max_lines_(lines) {}

  /// Asks for a line at `now`. Returns how many were left out since the last one; nullopt: leave out this one, too.
  std::optional<std::uint64_t> line(SteadyTime now) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (lines_ == 0 || now - begin_ >= interval_) {
      begin_ = now;
      lines_ = 0;
    }
    if (lines_ >= max_lines_) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  const std::chrono::nanoseconds interval_;
  const int max_lines_;
  Mutex mutex_;
  SteadyTime begin_ GUARDED_BY(mutex_){};
  int lines_ GUARDED_BY(mutex_) = 0;
  std::uint64_t left_out_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::observe
