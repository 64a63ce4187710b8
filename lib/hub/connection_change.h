#pragma once

#include <optional>

#include "hub/hub.h"
#include "sse-server/connection.h"

namespace sse::hub {

/// Changes an open stream for the program, as sse::Service::change(). Waits for the loops, and in a cluster until this
/// node gets the events of the channels that it joins.
std::optional<ConnectionInfo> change_connection(Hub& hub, ConnectionId id, const ConnectionChange& change);

}  // namespace sse::hub
