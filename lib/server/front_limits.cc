#include "server/front_limits.h"

#include <algorithm>
#include <string>

#include "observe/log.h"
#include "pages/static_files.h"

namespace sse::server {
namespace {

// Descriptors for everything except streams: listeners, database, log, admin connections, files being sent.
constexpr std::size_t kReservedDescriptors = 128 + pages::StaticFiles::kMaxOpen;
constexpr std::size_t kMaxSpooled = 256;

}  // namespace

FrontLimits front_limits(const ServerOptions& options, std::size_t descriptors) {
  FrontLimits limits;
  // Each costs a descriptor; if descriptors are few, streams get most of them.
  limits.max_spooled = std::min(kMaxSpooled, std::max<std::size_t>(descriptors / 16, 8));
  const std::size_t reserved =
      kReservedDescriptors + std::min(2 * limits.max_spooled + options.admin_max_connections, descriptors / 4);
  limits.max_connections = options.max_connections;
  if (limits.max_connections == 0 && descriptors > 2 * reserved) limits.max_connections = descriptors - reserved;
  if (limits.max_connections > descriptors) {
    observe::log_warn("--max-connections is more than the descriptor limit (ulimit -n) allows",
                      {{"limit", std::to_string(descriptors)}});
  }
  return limits;
}

}  // namespace sse::server
