#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>

#include "application/activity_log.h"
#include "application/hook.h"
#include "base/mutex.h"
#include "observe/log_throttle.h"

namespace sse::application {

/// Notifies the hook of disconnects, changed subscriptions and of channels that are occupied or vacated, from its own
/// threads. Events of one connection, and of one channel, are sent in order. A failed call is retried with growing
/// pauses for up to a minute, then given up. When HookOptions::queue notifications are queued, new ones are dropped.
/// Both cases are counted and logged.
class HookNotifier final : public ActivityListener {
 public:
  /// The references must outlive this.
  HookNotifier(HookCaller& caller, IdGenerator& ids, observe::Registry& metrics);
  /// REQUIRES: stop() was called, or offer() never was.
  ~HookNotifier();
  HookNotifier(const HookNotifier&) = delete;
  HookNotifier& operator=(const HookNotifier&) = delete;

  void offer(const ActivityEventRef& activity) override;
  /// Sends queued notifications until `timeout`, drops the rest and ends the threads. Idempotent.
  void stop(std::chrono::milliseconds timeout);
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kLanes = 4;  // by connection
  struct Lane {
    Mutex mutex;
    CondVar changed;
    std::deque<ActivityEventRef> queue GUARDED_BY(mutex);
    std::thread thread;
  };

  void work(Lane& lane);
  void notify_hook(Lane& lane, const ActivityEvent& activity);
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
  observe::LogThrottle log_throttle_{std::chrono::seconds(5)};
  std::atomic<bool> stopping_{false};
  std::atomic<SteadyTime> stop_by_{SteadyTime::max()};
  std::array<Lane, kLanes> lanes_;
};

}  // namespace sse::application
