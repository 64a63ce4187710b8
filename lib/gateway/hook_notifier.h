#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>

#include "base/mutex.h"
#include "gateway/happenings.h"
#include "gateway/hook.h"

namespace sse::gateway {

/// Tells the hook who left and who listens to what, from threads of its own. What happens to one connection is told in
/// order; a call that fails is repeated with growing pauses for up to a minute, then given up. More than
/// HookOptions::queue wait for nobody: the newest are dropped. Both are counted and logged.
class HookNotifier final : public HappeningSink {
 public:
  /// References must outlive it.
  HookNotifier(HookCaller& caller, IdGenerator& ids, observe::Registry& metrics);
  /// REQUIRES: stop() was called, or nothing was ever offered.
  ~HookNotifier();
  HookNotifier(const HookNotifier&) = delete;
  HookNotifier& operator=(const HookNotifier&) = delete;

  void offer(const HappeningRef& happening) override;
  /// Tells what it can of what waits within `patience`, drops the rest and ends the threads. Idempotent.
  void stop(std::chrono::milliseconds patience);
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kLanes = 4;  // by connection
  struct Lane {
    Mutex mutex;
    CondVar changed;
    std::deque<HappeningRef> queue GUARDED_BY(mutex);
    std::thread thread;
  };

  void work(Lane& lane);
  void tell(Lane& lane, const Happening& happening);
  bool wait(Lane& lane, std::chrono::milliseconds pause);
  void drop(observe::Counter& counter, const char* why);

  HookCaller& caller_;
  IdGenerator& ids_;
  observe::Counter& dropped_full_;
  observe::Counter& dropped_late_;
  observe::Counter& dropped_refused_;
  observe::Counter& retries_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::int64_t> next_log_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<SteadyTime> stop_by_{SteadyTime::max()};
  std::array<Lane, kLanes> lanes_;
};

}  // namespace sse::gateway
