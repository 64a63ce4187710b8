#pragma once

#include "api/types.h"
#include "base/ids.h"
#include "sse-server/connection.h"

namespace sse::api {

/// Changes an open connection.
struct ChangeRequest {
  ServiceName service;
  ConnectionId id;
  ConnectionChange change;
};

/// Without the service and the id, which are in the address.
Json to_json(const ChangeRequest& request);
/// Throws Error(kInvalidArgument), also for one that changes nothing.
ConnectionChange connection_change_from_json(const Json& json);

}  // namespace sse::api
