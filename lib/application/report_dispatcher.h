#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "application/hook.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"
#include "store/outbox.h"

namespace sse::application {

/// Passes the delivery reports of an outbox on to the hook, at least once each: a report leaves the outbox when the
/// hook has answered with a status from 200 to 299. All others are repeated, with growing pauses and after a restart,
/// for as long as the outbox has them; a repeated call has the same `X-Sse-Delivery`. Their order is not kept.
///
/// It has its own threads and holds a bounded number of reports, so that a slow or dead hook delays nothing else; while
/// the hook does not answer, it gets fewer and fewer calls.
class ReportDispatcher {
 public:
  /// The references must outlive this.
  ReportDispatcher(HookCaller& caller, store::Outbox& outbox, observe::Registry& metrics, const Clock& clock);
  ~ReportDispatcher() { stop(); }
  ReportDispatcher(const ReportDispatcher&) = delete;
  ReportDispatcher& operator=(const ReportDispatcher&) = delete;

  /// Starts the threads. Call once.
  void start();
  /// The outbox has new reports. Does not block; any thread.
  void wake() EXCLUDES(mutex_);
  /// Lets calls in progress end for a moment, and ends the threads. What the hook has not accepted stays in the outbox.
  /// Idempotent.
  void stop() EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kCallers = 4;

  using Number = std::uint64_t;
  struct Held {
    store::DeliveryReport report;
    std::chrono::milliseconds pause;  ///< before the next call, if this one fails
    bool called = false;
  };

  void run_keeper() EXCLUDES(mutex_);
  bool wait_for_work() REQUIRES(mutex_);
  bool may_claim() const REQUIRES(mutex_);
  void remove_accepted() EXCLUDES(mutex_);
  void claim() EXCLUDES(mutex_);
  void renew() EXCLUDES(mutex_);
  void run_caller() EXCLUDES(mutex_);
  std::optional<store::StoredReport> next_due() EXCLUDES(mutex_);
  bool call(const store::DeliveryReport& report);
  void failed(Number number) REQUIRES(mutex_);
  void log_failure(const std::string& what, const std::string& why);

  // Constant after construction.
  HookCaller& caller_;
  store::Outbox& outbox_;
  const Clock& clock_;
  observe::Counter& accepted_;
  observe::Counter& retries_;
  observe::LogThrottle log_throttle_{std::chrono::minutes(1)};

  Mutex mutex_;
  CondVar keeper_changed_;
  CondVar callers_changed_;
  std::map<Number, Held> held_ GUARDED_BY(mutex_);            ///< claimed, not yet accepted
  std::multimap<SteadyTime, Number> due_ GUARDED_BY(mutex_);  ///< of held_, without those being called
  std::size_t uncalled_ GUARDED_BY(mutex_) = 0;               ///< of held_
  std::uint64_t held_bytes_ GUARDED_BY(mutex_) = 0;
  std::vector<Number> removable_ GUARDED_BY(mutex_);  ///< accepted, still in the outbox
  std::size_t calling_ GUARDED_BY(mutex_) = 0;
  bool more_ GUARDED_BY(mutex_) = true;    ///< the outbox may have reports that are not claimed
  SteadyTime look_at_ GUARDED_BY(mutex_);  ///< next claim without being woken; after a failure, also removals
  SteadyTime renew_at_ GUARDED_BY(mutex_);
  bool store_fails_ GUARDED_BY(mutex_) = false;
  SteadyTime call_at_ GUARDED_BY(mutex_);  ///< no call before, as the last ones have failed
  std::chrono::milliseconds hook_pause_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::thread keeper_;
  std::array<std::thread, kCallers> callers_;
};

}  // namespace sse::application
