#include "hub/expected_resumes.h"

#include <algorithm>
#include <chrono>

#include "base/units.h"

namespace sse::hub {
namespace {

// How long a client closed from the server's side is expected to reconnect; the minimum, for short reconnect times.
constexpr std::chrono::seconds kClosedExpected{30};
constexpr ByteCount kClosedBytes = mebibytes(1);
constexpr ByteCount kRenewedBytes = mebibytes(4);

// Twice the reconnect time, because clients reconnect a little later than that.
std::chrono::milliseconds return_time(const HubOptions& options) {
  return 2 * (options.reconnect_time + options.reconnect_jitter);
}

}  // namespace

ExpectedResumes::ExpectedResumes(const HubOptions& options)
    : closed(std::max<std::chrono::milliseconds>(kClosedExpected, return_time(options)), kClosedBytes),
      renewed(return_time(options), kRenewedBytes) {}

}  // namespace sse::hub
