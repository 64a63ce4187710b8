#include "server/delivery_reports.h"

#include <string>
#include <utility>
#include <vector>

#include "observe/log.h"

namespace sse::server {

DeliveryReports::DeliveryReports(store::Outbox& outbox, application::ActivityLog& activity_log,
                                 application::HookCaller* hook, observe::Registry& metrics, const Clock& clock)
    : outbox_(outbox),
      dropped_(metrics.counter("sse_outbox_dropped_total",
                               "Delivery reports dropped from the full outbox before the hook accepted them")),
      dispatcher_(hook == nullptr ? nullptr
                                  : std::make_unique<application::ReportDispatcher>(*hook, outbox, metrics, clock)) {
  metrics.gauge_callback("sse_outbox_reports", "Delivery reports that the application's hook has not accepted yet",
                         [this] { return static_cast<double>(outbox_.waiting_reports()); });
  outbox_.listen_to_reports(
      [this, &activity_log](const std::vector<store::DeliveryReport>& reports, std::uint64_t count) {
        activity_log.reported(reports);
        if (count != 0) dropped(count);
        if (dispatcher_) dispatcher_->wake();
      });
}

DeliveryReports::~DeliveryReports() {
  stop();
  outbox_.listen_to_reports({});
}

void DeliveryReports::start() {
  if (dispatcher_) dispatcher_->start();
}

void DeliveryReports::stop() {
  if (dispatcher_) dispatcher_->stop();
}

void DeliveryReports::dropped(std::uint64_t count) {
  dropped_.add(count);
  if (std::exchange(logged_, true)) return;
  observe::log_warn("the outbox is full: the oldest delivery reports are dropped (--outbox-limit)",
                    {{"count", std::to_string(count)}, {"see", "sse_outbox_dropped_total"}});
}

}  // namespace sse::server
