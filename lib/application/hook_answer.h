#pragma once

#include <optional>
#include <string>
#include <vector>

#include "application/application.h"
#include "base/ids.h"
#include "delivery/send_request.h"
#include "event/json.h"
#include "sse-server/connection.h"

namespace sse::application {

/// What an answer of the hook to a message or an upload has for the stream of the page that asked, besides what the
/// page gets as the response: its fields `change` and `push`.
struct StreamOrders {
  std::optional<ConnectionChange> change{};
  std::vector<delivery::SendRequest> events{};
};

/// Takes these fields out of the answer. Throws Error(kInvalidArgument) if one of them is malformed.
StreamOrders take_stream_orders(event::Json& reply, ConnectionId connection);

/// Changes the stream, then sends the events on it, behind all that was sent before; returns when it has them. If the
/// stream has ended, nothing happens. Throws Error for a change that is not possible, as Service::change(). Waits for
/// the loops.
void carry_out(StreamOrders&& orders, const ApplicationRequest& request);

}  // namespace sse::application
