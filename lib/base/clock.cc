#include "base/clock.h"

#include <algorithm>

#include "base/mutex.h"

namespace sse {
namespace {

// Keeps the timeout of poll(2) within the range of an int.
constexpr std::chrono::milliseconds kMaxWait = std::chrono::hours(1);

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override { return sse::wall_now(); }
  SteadyTime steady_now() const override { return sse::steady_now(); }

  std::chrono::milliseconds wait_time(SteadyTime deadline) const override {
    const SteadyTime now = steady_now();
    if (deadline <= now) return std::chrono::milliseconds(0);
    if (deadline - now >= kMaxWait) return kMaxWait;
    return std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  }

  std::shared_ptr<void> on_move(std::function<void()>) const override { return nullptr; }

 private:
  bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const override SSE_NO_ANALYSIS {
    return changed.wait_until_system(mutex, deadline);
  }
};

}  // namespace

const Clock& Clock::system() {
  // Never destroyed: threads may read the time until the process ends.
  static const SystemClock* const clock = new SystemClock;
  return *clock;
}

void Clock::sleep_until(SteadyTime deadline) const {
  Mutex mutex;
  CondVar never;
  const MutexLock lock(mutex);
  while (steady_now() < deadline) never.wait_until(mutex, deadline, *this);
}

}  // namespace sse
