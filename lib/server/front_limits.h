#pragma once

#include <cstddef>

#include "server/server.h"

namespace sse::server {

/// How many descriptors of the process the public listener may use.
struct FrontLimits {
  std::size_t max_connections = 0;  ///< 0: no limit
  std::size_t max_spooled = 0;      ///< request bodies on disk at a time, per listener
};

/// Divides the process's limit of descriptors (ulimit -n) between streams and everything else. Logs a warning when
/// --max-connections exceeds it.
FrontLimits front_limits(const ServerOptions& options, std::size_t descriptors);

}  // namespace sse::server
