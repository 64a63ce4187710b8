#include "delivery/read_failure_log.h"

#include <chrono>

#include "observe/log.h"

namespace sse::delivery {
namespace {

constexpr std::chrono::seconds kReadFailurePeriod{1};

}  // namespace

void ReadFailureLog::report(const std::string& error) {
  const std::int64_t now = clock_.steady_now().time_since_epoch().count();
  std::int64_t last = last_.load();
  const auto period = std::chrono::duration_cast<SteadyTime::duration>(kReadFailurePeriod).count();
  if (last != 0 && now - last < period) return;
  if (!last_.compare_exchange_strong(last, now)) return;
  observe::log_error("cannot read pending messages", {{"service", service_.str()}, {"error", error}});
}

}  // namespace sse::delivery
