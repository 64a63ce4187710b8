#pragma once

#include <string>
#include <vector>

#include "server/server.h"

namespace sse::server {

/// Tries the services that a server with these options uses for its cluster, as it would when it starts: Redis of
/// `cluster` or Nacos of `discovery`, with their logins. Joins nothing and stores nothing.
/// Returns a sentence for each that works. Throws Error as the start of the server would: kUnavailable,
/// kPermissionDenied, … Blocks for up to the timeouts of the cluster.
std::vector<std::string> try_connections(const ServerOptions& options);

}  // namespace sse::server
