#include "observe/barrier.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "observe/log.h"
#include "observe/metrics.h"

namespace sse::observe {
namespace {

constexpr std::chrono::nanoseconds kLogEvery = std::chrono::seconds(1);

std::atomic<std::uint64_t> seen{0};
std::atomic<std::uint64_t> unlogged{0};
std::atomic<std::int64_t> next_log{INT64_MIN};

struct Counters {
  Mutex mutex;
  std::vector<Counter*> all GUARDED_BY(mutex);
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
  const std::int64_t now = Clock::system().steady_now().time_since_epoch().count();
  std::int64_t due = next_log.load(std::memory_order_relaxed);
  if (now < due || !next_log.compare_exchange_strong(due, now + kLogEvery.count())) {
    unlogged.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  try {
    std::string what = "not a standard exception";
    try {
      if (std::current_exception()) throw;
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {
      // `what` already says so.
    }
    const std::uint64_t others = unlogged.exchange(0, std::memory_order_relaxed);
    log_error(
        "an exception was contained",
        {{"where", where}, {"detail", std::string(detail)}, {"error", what}, {"unlogged", std::to_string(others)}});
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
