#include "admin/duration_routes.h"

#include <optional>
#include <utility>

#include "admin/admin_http.h"
#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "event/event.h"
#include "hub/connection_scan.h"
#include "hub/session_duration.h"

namespace sse::admin {
namespace {

using event::Json;
using event::TargetKind;

// Limit of the settings read for one recipient: these routes store only one, but senders may send such events, too.
constexpr std::size_t kMaxPendingSettings = 1000;
// The newest setting replaces older ones, on whichever node they are stored.
constexpr const char* kCollapse = "sse:session-duration";

hub::ConnectionFilter filter_for(TargetKind kind, const std::string& name) {
  hub::ConnectionFilter filter;
  if (kind == TargetKind::kUser) filter.user = UserId(name);
  if (kind == TargetKind::kToken) filter.token = AccessToken(name);
  return filter;
}

Json row(const hub::ConnectionInfo& info, WallTime now) {
  return {{"id", info.id.str()},
          {"user", info.identity.user.str()},
          {"sessionDuration", hub::session_duration(info, now)},
          {"set", info.duration.has_value()}};
}

Json waiting_json(const store::PendingMessage& message) {
  const auto seconds = hub::duration_in("\ndata:" + message.data.str() + "\n");
  return {{"id", message.id.str()},
          {"duration", seconds ? Json(*seconds) : Json(nullptr)},
          {"createTime", to_millis(message.created)},
          {"expireTime", to_millis(message.expires)}};
}

}  // namespace

DurationRoutes::DurationRoutes(net::Router& router, const std::vector<application::Service>& services,
                               store::MessageCatalog& catalog)
    : services_(services), catalog_(catalog) {
  const auto bound = [this](void (DurationRoutes::*handle)(const httplib::Request&, httplib::Response&) const) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  router.get("/api/v1/durations", bound(&DurationRoutes::read));
  router.post("/api/v1/durations", bound(&DurationRoutes::set));
  router.post("/api/v1/durations/clear", bound(&DurationRoutes::clear));
}

std::vector<store::PendingMessage> DurationRoutes::pending_settings(const ServiceName& service, TargetKind kind,
                                                                    const std::string& name) const {
  store::MessageFilter filter;
  filter.service = service;
  filter.kind = kind;
  filter.recipient = name;
  filter.event = event::kSetDuration;
  return catalog_.list(filter, 0, kMaxPendingSettings);
}

std::size_t DurationRoutes::erase_pending(const ServiceName& service, TargetKind kind, const std::string& name,
                                          MessageId newest) const {
  std::size_t forgotten = 0;
  for (const store::PendingMessage& message : pending_settings(service, kind, name)) {
    // A message to several recipients comes from another sender; erasing it would take it from the others.
    if (message.id == newest || catalog_.find(message.id).size() > 1) continue;
    if (catalog_.erase(message.id) != 0) ++forgotten;
  }
  return forgotten;
}

void DurationRoutes::read(const httplib::Request& req, httplib::Response& res) const {
  require_parameters(req, {"service", "user", "token", "connection"});
  const std::string user = req.get_param_value("user");
  const std::string token = req.get_param_value("token");
  const std::string connection = req.get_param_value("connection");
  if ((user.empty() ? 0 : 1) + (token.empty() ? 0 : 1) + (connection.empty() ? 0 : 1) != 1)
    throw Error(ErrorCode::kInvalidArgument, "give one of user, token and connection");
  delivery::Sender& sender = *find_service(services_, req.get_param_value("service")).sender;
  std::vector<ConnectionId> ids;
  Json pending = nullptr;
  if (!connection.empty()) {
    const auto id = parse_id(connection);
    if (!id) throw Error(ErrorCode::kInvalidArgument, "'" + printable(connection, 40) + "' is not a connection id");
    ids.emplace_back(*id);
  } else {
    const TargetKind kind = user.empty() ? TargetKind::kToken : TargetKind::kUser;
    const std::string& name = user.empty() ? token : user;
    ids = hub::find(sender.hub().directory(), filter_for(kind, name));
    if (const auto list = pending_settings(sender.service(), kind, name); !list.empty()) {
      for (const store::PendingMessage& message : catalog_.find(list.back().id)) {
        if (message.recipient == list.back().recipient) pending = waiting_json(message);
      }
    }
  }
  Json rows = Json::array();
  const WallTime now = sender.clock().wall_now();
  for (const hub::ConnectionInfo& info : sender.hub().directory().describe(ids)) rows.push_back(row(info, now));
  if (!connection.empty() && rows.empty())
    throw Error(ErrorCode::kNotFound, "no connection " + printable(connection, 40) + " is open here");
  write_json(res, {{"connections", std::move(rows)}, {"pending", std::move(pending)}});
}

void DurationRoutes::set(const httplib::Request& req, httplib::Response& res) const {
  const api::DurationRequest api_request =
      api::duration_request_from_json(event::parse_json(req.body, "the request body"), true);
  delivery::Sender& sender = *find_service(services_, api_request.service.str()).sender;
  if (!api_request.target) {
    const auto took = hub::set_duration(sender.hub(), api_request.ids, api_request.seconds);
    if (took.empty()) throw Error(ErrorCode::kNotFound, "no such connection is open here");
    write_json(res, {{"duration", api_request.seconds}, {"connections", took.size()}, {"pending", 0}});
    return;
  }
  // One message per recipient, so that it replaces the older settings of that recipient alone.
  std::vector<delivery::SendRequest> requests;
  for (const std::string& name : api_request.target->names) {
    requests.push_back({{api_request.target->kind, {name}, false},
                        std::string(event::kSetDuration),
                        hub::duration_data(api_request.seconds),
                        true,
                        api_request.ttl.value_or(std::chrono::milliseconds(0)),
                        "",
                        kCollapse});
  }
  std::uint64_t connections = 0;
  std::uint64_t pending = 0;
  std::vector<delivery::SendOutcome> outcomes = sender.send_all(requests);
  std::optional<Error> refused;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].refusal) {
      refused.emplace(outcomes[i].refusal->code,
                      outcomes[i].refusal->sentence + "; the session duration was not set for all recipients");
      continue;
    }
    connections += outcomes[i].result.delivered;
    if (outcomes[i].result.delivered == 0) ++pending;
    erase_pending(sender.service(), api_request.target->kind, api_request.target->names[i],
                  MessageId(outcomes[i].result.id));
  }
  if (refused) throw Error(*refused);
  write_json(res, {{"duration", api_request.seconds}, {"connections", connections}, {"pending", pending}});
}

void DurationRoutes::clear(const httplib::Request& req, httplib::Response& res) const {
  const api::DurationRequest api_request =
      api::duration_request_from_json(event::parse_json(req.body, "the request body"), false);
  delivery::Sender& sender = *find_service(services_, api_request.service.str()).sender;
  std::vector<ConnectionId> ids = api_request.ids;
  std::size_t pending = 0;
  if (api_request.target) {
    for (const std::string& name : api_request.target->names) {
      pending += erase_pending(sender.service(), api_request.target->kind, name, MessageId());
      const auto theirs = hub::find(sender.hub().directory(), filter_for(api_request.target->kind, name));
      ids.insert(ids.end(), theirs.begin(), theirs.end());
    }
  }
  write_json(res, {{"connections", hub::clear_duration(sender.hub(), ids).size()}, {"pending", pending}});
}

}  // namespace sse::admin
