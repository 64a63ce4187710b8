#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "application/activity_log.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "hub/connection.h"
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

  void note(ConnectRefusal refusal) EXCLUDES(mutex_);

 private:
  /// The number of lines left out since the last one; nullopt: leave out this one, too.
  std::optional<std::uint64_t> line() EXCLUDES(mutex_);

  observe::Registry& metrics_;
  application::ActivityLog& activity_log_;
  const Clock& clock_;
  Mutex mutex_;
  SteadyTime interval_begin_ GUARDED_BY(mutex_){};
  int lines_ GUARDED_BY(mutex_) = 0;
  std::uint64_t left_out_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::pages
