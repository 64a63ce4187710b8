#include "application/hook_answer.h"

#include <utility>

#include "api/change_request.h"
#include "api/types.h"
#include "base/error.h"
#include "event/event.h"
#include "hub/connection_change.h"

namespace sse::application {
namespace {

using event::Json;

// The most events that one answer may carry.
constexpr std::size_t kMaxPushed = 100;

std::vector<delivery::SendRequest> pushed_in(const Json& list, ConnectionId connection) {
  if (!list.is_array() || list.size() > kMaxPushed) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'push' must be a list of at most " + std::to_string(kMaxPushed) + " events");
  }
  std::vector<delivery::SendRequest> pushed;
  for (const Json& one : list) {
    event::require_fields(one, {"event", "data"}, "an event in field 'push'");
    delivery::SendRequest& request = pushed.emplace_back();
    request.target = Target::connection(connection);
    request.event = event::string_field(one, "event", api::kDefaultEvent);
    request.local = true;
    if (const auto data = one.find("data"); data != one.end())
      request.data = data->is_string() ? data->text() : event::dump_json(*data);
    event::validate({request.event, request.data, "", std::nullopt});
  }
  return pushed;
}

}  // namespace

StreamOrders take_stream_orders(Json& reply, ConnectionId connection) {
  StreamOrders orders;
  if (const auto change = reply.find("change"); change != reply.end()) {
    orders.change = api::connection_change_from_json(*change);
    reply.erase("change");
  }
  if (const auto list = reply.find("push"); list != reply.end()) {
    orders.events = pushed_in(*list, connection);
    reply.erase("push");
  }
  return orders;
}

void carry_out(StreamOrders&& orders, const ApplicationRequest& request) {
  if (orders.change && request.connection.id.valid())
    hub::change_connection(request.sender.hub(), request.connection.id, *orders.change);
  if (!orders.events.empty()) request.sender.send_all(std::move(orders.events));
}

}  // namespace sse::application
