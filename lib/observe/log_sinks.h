#pragma once

#include <algorithm>
#include <atomic>
#include <list>
#include <utility>

#include "base/mutex.h"
#include "observe/log.h"

namespace sse::observe {

/// The sinks of programs that embed servers. Thread safe.
class LogSinks {
 public:
  struct Sink {
    LogSink call;
    Level level;
  };
  using Place = std::list<Sink>::iterator;

  Place add(LogSink sink, Level level) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const Place place = sinks_.insert(sinks_.end(), {std::move(sink), level});
    update_level();
    return place;
  }
  /// Waits for a running call.
  void remove(Place place) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    sinks_.erase(place);
    update_level();
  }

  /// Whether there is a sink.
  bool any() const { return level_.load(std::memory_order_relaxed) != kNone; }
  /// Whether a sink wants lines of this level.
  bool takes(Level level) const { return static_cast<int>(level) >= level_.load(std::memory_order_relaxed); }

  /// Calls the sinks, one call at a time. A line that a sink itself causes is dropped.
  void log(const LogRecord& record) EXCLUDES(mutex_) {
    // The mutex would be taken twice.
    thread_local bool inside = false;
    if (std::exchange(inside, true)) return;
    {
      const MutexLock lock(mutex_);
      for (const Sink& sink : sinks_) {
        if (record.level < sink.level) continue;
        try {
          sink.call(record);
        } catch (...) {
          // There is no other place to report it to.
        }
      }
    }
    inside = false;
  }

 private:
  static constexpr int kNone = 100;

  void update_level() REQUIRES(mutex_) {
    int least = kNone;
    for (const Sink& sink : sinks_) least = std::min(least, static_cast<int>(sink.level));
    level_.store(least, std::memory_order_relaxed);
  }

  Mutex mutex_;
  std::list<Sink> sinks_ GUARDED_BY(mutex_);
  std::atomic<int> level_{kNone};  // the least of the sinks' levels
};

}  // namespace sse::observe
