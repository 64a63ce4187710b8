#include "observe/barrier.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "observe/log.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"

namespace sse::observe {
namespace {

std::atomic<std::uint64_t> seen{0};

struct Counters {
  Mutex mutex;
  std::vector<Counter*> all GUARDED_BY(mutex);
  LogThrottle log{std::chrono::seconds(1)};
};

// Never destroyed: threads may fail while the process exits.
Counters& counters() {
  static Counters& made = *new Counters;
  return made;
}

}  // namespace

void note_exception(const char* where, std::string_view detail) noexcept {
  seen.fetch_add(1, std::memory_order_relaxed);
  {
    const MutexLock lock(counters().mutex);
    for (Counter* counter : counters().all) counter->add();
  }
  const std::optional<std::uint64_t> unlogged = counters().log.line(Clock::system().steady_now());
  if (!unlogged) return;
  try {
    std::string what = "not a standard exception";
    try {
      if (std::current_exception()) throw;
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {
      // `what` already says so.
    }
    log_error(
        "an exception was contained",
        {{"where", where}, {"detail", std::string(detail)}, {"error", what}, {"unlogged", std::to_string(*unlogged)}});
  } catch (...) {
    // Out of memory: the exception is counted, but not logged.
  }
}

ExceptionCounter::ExceptionCounter(Counter& counter) : counter_(counter) {
  const MutexLock lock(counters().mutex);
  counters().all.push_back(&counter_);
}

ExceptionCounter::~ExceptionCounter() {
  const MutexLock lock(counters().mutex);
  const auto found = std::ranges::find(counters().all, &counter_);
  if (found != counters().all.end()) counters().all.erase(found);
}

std::uint64_t exceptions_seen() noexcept {
  return seen.load(std::memory_order_relaxed);
}

}  // namespace sse::observe
