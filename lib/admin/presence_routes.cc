#include "admin/presence_routes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "admin/admin_http.h"
#include "admin/explain.h"
#include "admin/local_header.h"
#include "admin/node_replies.h"
#include "application/connection_json.h"
#include "auth/hmac.h"
#include "base/error.h"
#include "base/text.h"
#include "event/event.h"
#include "hub/channel_scan.h"
#include "hub/connection_scan.h"
#include "hub/session_duration.h"

namespace sse::admin {
namespace {

// 128 bits. A reader of hashes with one `key` learns only which values are equal; hashes with different keys cannot be
// compared.
std::string keyed_hash(const std::string& key, const std::string& value) {
  return auth::hmac_sha256_hex(key, value).substr(0, 32);
}

using event::Json;
using event::TargetKind;

hub::ConnectionFilter filter_of(const httplib::Request& req) {
  hub::ConnectionFilter filter;
  filter.user = UserId(req.get_param_value("user"));
  filter.tenant = TenantId(req.get_param_value("tenant"));
  filter.token = AccessToken(req.get_param_value("token"));
  filter.channel = ChannelName(req.get_param_value("channel"));
  filter.listening = req.get_param_value("listening");
  filter.client = req.get_param_value("client");
  filter.name = req.get_param_value("name");
  for (const std::string& text : parameter_values(req, "attribute")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ErrorCode::kInvalidArgument, "attribute '" + printable(text, 60) + "' is not NAME=VALUE");
    filter.attributes.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return filter;
}

// `more`: a parameter of one listing.
void require_filter(const httplib::Request& req, const char* more = "service") {
  // `keys` lets other nodes find out which users and tokens are equal: see ClusterAdmin.
  require_parameters(
      req, {"service", "user", "tenant", "token", "channel", "listening", "client", "name", "attribute", "sort",
            "order", "pageNum", "pageSize", req.has_header(kLocalHeader) ? "keys" : "pageSize", more});
}

bool descending(const httplib::Request& req) {
  return choice_parameter(req, "order", {"asc", "desc"}) == 1;
}

// In the order of hub::ConnectionOrder.
hub::ConnectionOrder connection_order(const httplib::Request& req) {
  return static_cast<hub::ConnectionOrder>(choice_parameter(
      req, "sort",
      {"created", "user", "tenant", "channel", "messages", "bytes", "backlog", "lastWrite", "lastRequest", "rate"}));
}

hub::CountOrder user_order(const httplib::Request& req) {
  constexpr std::array kOrders{hub::CountOrder::kName, hub::CountOrder::kConnections, hub::CountOrder::kFirst,
                               hub::CountOrder::kLast};
  return kOrders.at(choice_parameter(req, "sort", {"id", "connections", "first", "last"}));
}

hub::CountOrder name_order(const httplib::Request& req) {
  constexpr std::array kOrders{hub::CountOrder::kName, hub::CountOrder::kConnections, hub::CountOrder::kUsers,
                               hub::CountOrder::kFirst, hub::CountOrder::kLast};
  return kOrders.at(choice_parameter(req, "sort", {"name", "connections", "users", "first", "last"}));
}

}  // namespace

Json user_json(const std::vector<hub::ConnectionInfo>& connections) {
  std::set<std::string> tenants;
  std::set<std::string> channels;
  WallTime first = WallTime::max();
  WallTime last = WallTime::min();
  std::optional<WallTime> last_request;
  std::int64_t duration = 0;
  Json profile = nullptr;
  for (const hub::ConnectionInfo& one : connections) {
    if (!one.identity.tenant.empty()) tenants.insert(one.identity.tenant.str());
    for (const ChannelName& channel : one.channels) channels.insert(channel.str());
    first = std::min(first, one.created);
    last = std::max(last, one.created);
    if (one.last_request) last_request = std::max(last_request.value_or(WallTime::min()), *one.last_request);
    duration = std::max(duration, hub::session_duration(one, one.as_of));
    if (!one.attributes.profile.empty()) profile = event::parse_json_or_null(one.attributes.profile);
  }
  const auto name = profile.is_object() ? profile.find("name") : profile.end();
  const bool named = profile.is_object() && name != profile.end() && name->is_string();
  return {{"id", connections.front().identity.user.str()},
          {"name", named ? *name : Json("")},
          {"user", profile},
          {"connections", connections.size()},
          {"tenants", tenants},
          {"channels", channels},
          {"firstConnectTime", to_millis(first)},
          {"lastConnectTime", to_millis(last)},
          {"lastRequestTime", last_request ? Json(to_millis(*last_request)) : Json(nullptr)},
          {"sessionDuration", duration}};
}

PresenceRoutes::PresenceRoutes(net::Router& router, const std::vector<application::Service>& services,
                               std::string server_id)
    : services_(services), server_id_(std::move(server_id)) {
  const auto bound = [this](void (PresenceRoutes::*handle)(const httplib::Request&, httplib::Response&) const) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  const auto names = [this](TargetKind kind) {
    return [this, kind](const httplib::Request& req, httplib::Response& res) { list_names(kind, req, res); };
  };
  router.get("/api/v1/connections", bound(&PresenceRoutes::list_connections));
  router.get("/api/v1/users", bound(&PresenceRoutes::list_users));
  router.get("/api/v1/user-ids", bound(&PresenceRoutes::list_user_ids));
  router.get("/api/v1/user", bound(&PresenceRoutes::show_user));
  router.get("/api/v1/channel", bound(&PresenceRoutes::show_channel));
  router.get("/api/v1/tenants", names(TargetKind::kTenant));
  router.get("/api/v1/channels", names(TargetKind::kChannel));
  router.get("/api/v1/tokens", names(TargetKind::kToken));
  router.get("/api/v1/explain", bound(&PresenceRoutes::explain));
}

void PresenceRoutes::list_connections(const httplib::Request& req, httplib::Response& res) const {
  require_filter(req);
  const Page page = Page::of(req);
  delivery::Sender& sender = *find_service(services_, req.get_param_value("service")).sender;
  const std::vector<ConnectionId> ids =
      hub::find(sender.hub().directory(), filter_of(req), connection_order(req), descending(req));
  Json list = Json::array();
  for (const hub::ConnectionInfo& info : sender.hub().directory().describe(page.cut(ids)))
    list.push_back(application::to_json(info, sender.service(), server_id_));
  write_json(res, page.json(ids.size(), std::move(list)));
}

void PresenceRoutes::list_users(const httplib::Request& req, httplib::Response& res) const {
  require_filter(req);
  const Page page = Page::of(req);
  hub::Hub& hub = find_service(services_, req.get_param_value("service")).sender->hub();
  const std::vector<hub::NameCount> users =
      hub::count_names(hub.directory(), TargetKind::kUser, filter_of(req), user_order(req), descending(req));
  const std::vector<hub::NameCount> wanted = page.cut(users);
  std::vector<ConnectionId> ids;
  for (const hub::NameCount& user : wanted) ids.insert(ids.end(), user.ids.begin(), user.ids.end());
  std::map<std::string, std::vector<hub::ConnectionInfo>> connections;
  for (hub::ConnectionInfo& info : hub.directory().describe(ids)) {
    const std::string user = info.identity.user.str();
    connections[user].push_back(std::move(info));
  }
  Json list = Json::array();
  for (const hub::NameCount& user : wanted) {
    // Some may have disconnected since the count.
    if (const auto theirs = connections.find(user.name); theirs != connections.end())
      list.push_back(user_json(theirs->second));
  }
  write_json(res, page.json(users.size(), std::move(list)));
}

void PresenceRoutes::list_user_ids(const httplib::Request& req, httplib::Response& res) const {
  require_filter(req);
  const Page page = Page::of(req);
  hub::Hub& hub = find_service(services_, req.get_param_value("service")).sender->hub();
  const std::vector<hub::NameCount> users =
      hub::count_names(hub.directory(), TargetKind::kUser, filter_of(req), user_order(req), descending(req));
  Json list = Json::array();
  for (const hub::NameCount& user : page.cut(users)) list.push_back(user.name);
  write_json(res, page.json(users.size(), std::move(list)));
}

void PresenceRoutes::show_user(const httplib::Request& req, httplib::Response& res) const {
  require_parameters(req, {"service", "id"});
  const std::string id = req.get_param_value("id");
  if (id.empty()) throw Error(ErrorCode::kInvalidArgument, "the parameter id, of the user, is missing");
  delivery::Sender& sender = *find_service(services_, req.get_param_value("service")).sender;
  hub::ConnectionFilter filter;
  filter.user = UserId(id);
  const std::vector<hub::ConnectionInfo> connections =
      sender.hub().directory().describe(hub::find(sender.hub().directory(), filter));
  if (connections.empty())
    throw Error(ErrorCode::kNotFound, "user '" + printable(id, 60) + "' is not online in " + sender.service().str());
  Json json = user_json(connections);
  json["service"] = sender.service().str();
  json["tokens"] = Json::array();
  json["connectionList"] = Json::array();
  std::set<std::string> tokens;
  for (const hub::ConnectionInfo& info : connections) {
    if (!info.identity.token.empty()) tokens.insert(info.identity.token.str());
    json["connectionList"].push_back(application::to_json(info, sender.service(), server_id_));
  }
  for (const std::string& token : tokens) json["tokens"].push_back(mask_secret(token));
  write_json(res, json);
}

void PresenceRoutes::list_names(TargetKind kind, const httplib::Request& req, httplib::Response& res) const {
  require_filter(req, kind == TargetKind::kChannel ? "prefix" : "service");
  const Page page = Page::of(req);
  const std::string keys = req.get_param_value("keys");
  hub::Hub& hub = find_service(services_, req.get_param_value("service")).sender->hub();
  std::vector<hub::NameCount> names =
      hub::count_names(hub.directory(), kind, filter_of(req), name_order(req), descending(req), !keys.empty());
  const std::string prefix = req.get_param_value("prefix");
  std::erase_if(names, [&](const hub::NameCount& one) { return !one.name.starts_with(prefix); });
  Json list = Json::array();
  for (const hub::NameCount& one : page.cut(names)) {
    list.push_back({{"name", kind == TargetKind::kToken ? mask_secret(one.name) : one.name},
                    {"connections", one.connections},
                    {"users", one.users},
                    {"firstConnectTime", to_millis(one.first)},
                    {"lastConnectTime", to_millis(one.last)}});
    if (!keys.empty()) {
      list.back()["key"] = keyed_hash(keys, one.name);
      Json users = Json::array();
      for (const std::string& user : one.user_names) users.push_back(keyed_hash(keys, user));
      list.back()["userKeys"] = std::move(users);
    }
  }
  write_json(res, page.json(names.size(), std::move(list)));
}

void PresenceRoutes::show_channel(const httplib::Request& req, httplib::Response& res) const {
  require_parameters(req, {"service", "name"});
  const std::string name = req.get_param_value("name");
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "the parameter name, of the channel, is missing");
  delivery::Sender& sender = *find_service(services_, req.get_param_value("service")).sender;
  const hub::ChannelStreams streams = hub::streams_in(sender.hub().directory(), name);
  if (streams.connections == 0) {
    throw Error(ErrorCode::kNotFound,
                "no stream is in the channel '" + printable(name, 60) + "' of " + sender.service().str());
  }
  ChannelReply reply{.name = name,
                     .service = sender.service().str(),
                     .connections = streams.connections,
                     .members = streams.members.size(),
                     .rate = static_cast<std::uint64_t>(std::llround(sender.hub().channel_rate(name))),
                     .first_connect = to_millis(streams.first),
                     .last_connect = to_millis(streams.last)};
  if (const auto retained = sender.history_of(ChannelName(name)))
    reply.history = ChannelReply::Retained{retained->events, retained->bytes};
  for (const hub::ChannelMember& member : streams.members) {
    if (reply.list.size() == ChannelReply::kMaxListed) break;
    reply.list.push_back({member.tenant, member.user, member.connections,
                          member.profile.empty() ? Json(nullptr) : event::parse_json_or_null(member.profile)});
  }
  write_json(res, reply.json());
}

void PresenceRoutes::explain(const httplib::Request& req, httplib::Response& res) const {
  require_parameters(
      req, {"service", "user", "tenant", "token", "channel", "event", "listening", "size", "pageNum", "pageSize"});
  const Page page = Page::of(req);
  const application::Service& service = find_service(services_, req.get_param_value("service"));
  Explanation found = admin::explain(services_, service, match_query_of(req), page);
  Json json = page.json(found.total, std::move(found.list));
  json["receivers"] = found.receivers;
  write_json(res, json);
}

}  // namespace sse::admin
