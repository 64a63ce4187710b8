#pragma once

#include <memory>

#include "application/activity_log.h"
#include "application/hook.h"
#include "application/report_dispatcher.h"
#include "base/clock.h"
#include "observe/metrics.h"
#include "store/outbox.h"

namespace sse::server {

/// Connects the store's delivery reports to those who want them: the activity log, which callbacks and followers listen
/// to, and the hook.
class DeliveryReports {
 public:
  /// `hook` null: none. The others must outlive this.
  DeliveryReports(store::Outbox& outbox, application::ActivityLog& activity_log, application::HookCaller* hook,
                  observe::Registry& metrics, const Clock& clock);
  ~DeliveryReports();
  DeliveryReports(const DeliveryReports&) = delete;
  DeliveryReports& operator=(const DeliveryReports&) = delete;

  /// Begins to call the hook, with the reports of earlier runs, too.
  void start();
  /// Ends the calls of the hook. Idempotent.
  void stop();

 private:
  void dropped(std::uint64_t count);

  store::Outbox& outbox_;
  observe::Counter& dropped_;
  bool logged_ = false;  ///< that reports are dropped; only used by the outbox' calls, one at a time
  std::unique_ptr<application::ReportDispatcher> dispatcher_;
};

}  // namespace sse::server
