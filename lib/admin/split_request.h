#pragma once

#include <vector>

#include "cluster/core/raw_http.h"

namespace sse::admin {

/// Splits a request that names connections, users or other targets in its body (connections/close, durations) into
/// requests with a part of the names each, so that the messages between nodes stay small. A small request is returned
/// as it is. Throws Error(kInvalidArgument) for an invalid body.
std::vector<cluster::RawRequest> split_request(const cluster::RawRequest& request);

}  // namespace sse::admin
