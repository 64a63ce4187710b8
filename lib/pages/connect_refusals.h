#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "application/activity_log.h"
#include "base/clock.h"
#include "base/ids.h"
#include "hub/connection.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"

namespace sse::pages {

/// A request for a stream that was refused.
struct ConnectRefusal {
  const ServiceName& service;
  std::string address;           ///< of the client
  std::string query;             ///< of the request: it has the clientId
  hub::Identity identity{};      ///< empty before authentication
  int status = 0;                ///< of the response
  std::string_view reason = "";  ///< `unauthenticated`, `invalid-token`, …: the label of the counter; a literal
  std::string sentence{};        ///< for people
};

/// Records the requests for streams that are refused, which an operator otherwise cannot tell from silence: in
/// `sse_connects_refused_total`, as an activity event, and in the log, there at most kLines times in kInterval. Thread
/// safe.
class ConnectRefusals {
 public:
  static constexpr int kLines = 10;
  static constexpr std::chrono::seconds kInterval{10};

  /// References must outlive this.
  ConnectRefusals(observe::Registry& metrics, application::ActivityLog& activity_log, const Clock& clock)
      : metrics_(metrics), activity_log_(activity_log), clock_(clock) {}

  void note(ConnectRefusal refusal);

 private:
  observe::Registry& metrics_;
  application::ActivityLog& activity_log_;
  const Clock& clock_;
  observe::LogThrottle throttle_{kInterval, kLines};
};

}  // namespace sse::pages
