#pragma once

#include <string>

#include "net/stream_client.h"
#include "server/server.h"

namespace sse::server {

/// Whether the server has a canary.
inline bool has_canary(const ServerOptions& options) {
  return options.canary_interval.count() != 0;
}
/// Throws Error(kInvalidArgument) that names the option: for an interval out of range, a URL that is none of a service,
/// a file that cannot be used, and options that need each other.
void check_canary(const ServerOptions& options);
/// The request for the stream of the canary, which identifies itself with `secret`. Throws as check_canary().
net::StreamRequest canary_request(const ServerOptions& options, const std::string& secret);

}  // namespace sse::server
