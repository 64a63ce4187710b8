#include "api/types.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"

namespace sse::api {
namespace {

std::uint64_t count_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) {
    throw Error(ErrorCode::kInvalidArgument, std::string("field '") + name + "' must be a number that is not negative");
  }
  return found->get<std::uint64_t>();
}

const Json& required_target(const Json& object) {
  const auto found = object.find("target");
  if (found == object.end()) throw Error(ErrorCode::kInvalidArgument, "field 'target' is missing");
  return *found;
}

std::string key_field(const Json& object, const char* name, bool qos) {
  std::string word = event::string_field(object, name);
  if (word.empty()) return word;
  if (!qos) throw Error(ErrorCode::kInvalidArgument, std::string(name) + " needs qos: without it nothing is stored");
  if (word.size() > kMaxKeyBytes || !is_valid_utf8(word)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(name) + " must be at most " + std::to_string(kMaxKeyBytes) + " bytes of UTF-8");
  }
  return word;
}

void add_if_set(QueryParameters& parameters, const char* name, const std::string& value) {
  if (!value.empty()) parameters.emplace_back(name, value);
}

void add_page(QueryParameters& parameters, const Page& page) {
  parameters.emplace_back("pageNum", std::to_string(page.number));
  parameters.emplace_back("pageSize", std::to_string(page.size));
}

// Reads either ids or a target.
void read_selection(const Json& json, const std::string& what, std::vector<ConnectionId>& into,
                    std::optional<event::Target>& target) {
  const auto ids = json.find("ids");
  if ((ids != json.end()) == json.contains("target")) {
    throw Error(ErrorCode::kInvalidArgument, what + " must have either ids or target");
  }
  if (ids == json.end()) {
    target = event::target_from_json(required_target(json));
    return;
  }
  if (!ids->is_array() || ids->empty()) {
    throw Error(ErrorCode::kInvalidArgument, "field 'ids' must be a list of at least one connection id");
  }
  for (const Json& one : *ids) {
    const ConnectionId id(event::id_field({{"id", one}}, "id"));
    if (!id.valid()) {
      throw Error(ErrorCode::kInvalidArgument, printable(event::dump_json(one), 40) + " in 'ids' is not a valid id");
    }
    into.push_back(id);
  }
}

}  // namespace

Json to_json(const SendRequest& request) {
  Json json{{"target", event::to_json(request.target, request.also)}, {"event", request.event}, {"data", request.data}};
  if (!request.except.empty()) json["except"] = request.except;
  if (!request.service.empty()) json["service"] = request.service.str();
  if (request.qos) json["qos"] = true;
  if (request.ttl) json["ttl"] = format_duration(*request.ttl);
  if (!request.key.empty()) json["id"] = request.key;
  if (!request.collapse.empty()) json["collapse"] = request.collapse;
  if (request.notify) json["notify"] = true;
  if (request.wait) json["wait"] = format_duration(*request.wait);
  if (request.dead) {
    json["dead"] = {{"created", request.dead->created},
                    {"expires", request.dead->expires},
                    {"died", request.dead->died},
                    {"attempts", request.dead->attempts}};
  }
  return json;
}

SendRequest send_request_from_json(const Json& json) {
  event::require_fields(
      json, {"service", "target", "event", "data", "qos", "ttl", "id", "collapse", "wait", "dead", "except", "notify"},
      "the request to send");
  SendRequest request;
  request.service = ServiceName(event::string_field(json, "service"));
  request.also = event::targets_from_json(required_target(json));
  request.target = std::move(request.also.front());
  request.also.erase(request.also.begin());
  request.except = event::string_field(json, "except");
  request.event = event::string_field(json, "event", kDefaultEvent);
  if (const auto data = json.find("data"); data != json.end()) {
    request.data = data->is_string() ? data->get<std::string>() : event::dump_json(*data);
  }
  request.qos = event::bool_field(json, "qos");
  event::normalize({request.target, request.also, request.except}, request.qos);
  if (const std::string ttl = event::string_field(json, "ttl"); !ttl.empty()) {
    request.ttl = parse_duration(ttl);
    if (request.ttl->count() == 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  "a ttl of 0 would expire at once; leave it out for the server's default");
    }
    if (!request.qos) throw Error(ErrorCode::kInvalidArgument, "a ttl needs qos: without it nothing is stored");
  }
  request.key = key_field(json, "id", request.qos);
  request.collapse = key_field(json, "collapse", request.qos);
  request.notify = event::bool_field(json, "notify");
  if (request.notify && !request.qos) {
    throw Error(ErrorCode::kInvalidArgument,
                "notify needs qos: without it nothing is stored of which the server could report what became");
  }
  if (const auto dead = json.find("dead"); dead != json.end()) {
    event::require_fields(*dead, {"created", "expires", "died", "attempts"}, "field 'dead'");
    const auto time = [&](const char* name) {
      const auto found = dead->find(name);
      if (found == dead->end() || !found->is_number_integer())
        throw Error(ErrorCode::kInvalidArgument, std::string("field 'dead' must have a time '") + name + "'");
      return found->get<std::int64_t>();
    };
    request.dead = DeadLetterFields{time("created"), time("expires"), time("died"),
                                    dead->contains("attempts") ? count_field(*dead, "attempts") : 0};
    if (!request.qos || request.key.empty() || request.ttl || json.contains("wait"))
      throw Error(ErrorCode::kInvalidArgument,
                  "the line of a dead letter needs qos and the id of its export, and allows no ttl and no wait");
  }
  if (const std::string wait = event::string_field(json, "wait"); !wait.empty()) {
    request.wait = parse_duration(wait);
    if (!request.qos) throw Error(ErrorCode::kInvalidArgument, "wait needs qos: without it nothing is confirmed");
    if (*request.wait > kMaxConfirmationWait) {
      throw Error(ErrorCode::kInvalidArgument, "wait must be at most " + format_duration(kMaxConfirmationWait) +
                                                   "; 'messages trace' shows the rest");
    }
  }
  return request;
}

Json to_json(const SendResult& result) {
  Json recipients = Json::array();
  for (const SendResult::Recipient& one : result.recipients) {
    recipients.push_back({{"kind", event::kind_name(one.kind)}, {"name", one.name}, {"delivered", one.delivered}});
    if (!one.state.empty()) recipients.back()["state"] = one.state;
    if (!one.tenant.empty()) recipients.back()["tenant"] = one.tenant;
  }
  Json json{{"id", result.id.str()},
            {"delivered", result.delivered},
            {"pending", result.pending},
            {"recipients", std::move(recipients)}};
  if (result.repeated) json["repeated"] = true;
  return json;
}

SendResult send_result_from_json(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::kInvalidArgument, "the answer to a send must be a JSON object");
  SendResult result;
  result.id = MessageId(event::id_field(json, "id"));
  result.delivered = count_field(json, "delivered");
  result.pending = count_field(json, "pending");
  result.repeated = event::bool_field(json, "repeated");
  if (const auto list = json.find("recipients"); list != json.end() && list->is_array()) {
    for (const Json& one : *list) {
      if (!one.is_object()) throw Error(ErrorCode::kInvalidArgument, "field 'recipients' must be a list of objects");
      result.recipients.push_back({event::kind_from_name(event::string_field(one, "kind")),
                                   event::string_field(one, "name"), count_field(one, "delivered"),
                                   event::string_field(one, "state"), event::string_field(one, "tenant")});
    }
  }
  return result;
}

Json to_json(const CloseRequest& request) {
  Json json = Json::object();
  if (!request.service.empty()) json["service"] = request.service.str();
  for (const ConnectionId id : request.ids) json["ids"].push_back(id.str());
  if (request.target) json["target"] = event::to_json(*request.target);
  return json;
}

CloseRequest close_request_from_json(const Json& json) {
  event::require_fields(json, {"service", "ids", "target"}, "the request to close");
  CloseRequest request;
  request.service = ServiceName(event::string_field(json, "service"));
  read_selection(json, "the request to close", request.ids, request.target);
  return request;
}

Json to_json(const DurationRequest& request, bool with_seconds) {
  Json json = to_json(CloseRequest{request.service, request.ids, request.target});
  if (with_seconds) json["duration"] = request.seconds;
  if (request.ttl) json["ttl"] = format_duration(*request.ttl);
  return json;
}

DurationRequest duration_request_from_json(const Json& json, bool with_seconds) {
  const std::string what = with_seconds ? "the request to set a duration" : "the request to clear a duration";
  if (with_seconds) {
    event::require_fields(json, {"service", "ids", "target", "duration", "ttl"}, what);
  } else {
    event::require_fields(json, {"service", "ids", "target"}, what);
  }
  DurationRequest request;
  request.service = ServiceName(event::string_field(json, "service"));
  read_selection(json, what, request.ids, request.target);
  const bool has_duration = request.target && (request.target->kind == event::TargetKind::kUser ||
                                               request.target->kind == event::TargetKind::kToken);
  if (request.target && (!has_duration || request.target->listening)) {
    throw Error(ErrorCode::kInvalidArgument, "only users, tokens and connections have a session duration; name those");
  }
  if (!with_seconds) return request;
  const auto duration = json.find("duration");
  if (duration == json.end() || !duration->is_number_integer() || *duration < 0 || *duration > kMaxDurationSeconds) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'duration' must be a whole number of seconds from 0 to " + std::to_string(kMaxDurationSeconds));
  }
  request.seconds = duration->get<std::int64_t>();
  if (const std::string ttl = event::string_field(json, "ttl"); !ttl.empty()) {
    request.ttl = parse_duration(ttl);
    if (request.ttl->count() == 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  "a ttl of 0 would expire at once; leave it out for the server's default");
    }
    if (!request.ids.empty())
      throw Error(ErrorCode::kInvalidArgument, "a ttl is allowed for users and tokens only, not for connections");
  }
  return request;
}

Json to_json(const TicketRequest& request) {
  Json json{{"user", request.user}};
  if (!request.service.empty()) json["service"] = request.service.str();
  if (!request.tenant.empty()) json["tenant"] = request.tenant;
  if (!request.token.empty()) json["token"] = request.token;
  if (!request.profile.empty()) json["profile"] = event::parse_json(request.profile, "the profile");
  if (!request.channels.empty()) json["channels"] = request.channels;
  if (request.ttl) json["ttl"] = format_duration(*request.ttl);
  return json;
}

TicketRequest ticket_request_from_json(const Json& json) {
  event::require_fields(json, {"service", "user", "tenant", "token", "profile", "channels", "ttl"},
                        "the request for a ticket");
  TicketRequest request;
  request.service = ServiceName(event::string_field(json, "service"));
  request.user = event::string_field(json, "user");
  if (request.user.empty())
    throw Error(ErrorCode::kInvalidArgument, "field 'user' is missing: a ticket is for one user");
  request.tenant = event::string_field(json, "tenant");
  request.token = event::string_field(json, "token");
  if (const auto profile = json.find("profile"); profile != json.end() && !profile->is_null()) {
    if (!profile->is_object()) throw Error(ErrorCode::kInvalidArgument, "field 'profile' must be an object");
    request.profile = event::dump_json(*profile);
  }
  if (const auto channels = json.find("channels"); channels != json.end() && !channels->is_null()) {
    if (!channels->is_array() || !std::ranges::all_of(*channels, [](const Json& one) { return one.is_string(); }))
      throw Error(ErrorCode::kInvalidArgument, "field 'channels' must be a list of names and patterns");
    request.channels = channels->get<std::vector<std::string>>();
  }
  if (const std::string ttl = event::string_field(json, "ttl"); !ttl.empty()) request.ttl = parse_duration(ttl);
  return request;
}

QueryParameters parameters(const ConnectionQuery& query, const Page& page) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  add_if_set(list, "user", query.user);
  add_if_set(list, "tenant", query.tenant);
  add_if_set(list, "token", query.token);
  add_if_set(list, "channel", query.channel);
  add_if_set(list, "listening", query.listening);
  add_if_set(list, "client", query.client);
  add_if_set(list, "name", query.name);
  for (const auto& [name, value] : query.attributes) list.emplace_back("attribute", name + "=" + value);
  add_if_set(list, "prefix", query.prefix);
  add_if_set(list, "sort", query.sort);
  if (query.reverse) list.emplace_back("order", "desc");
  add_page(list, page);
  return list;
}

QueryParameters parameters(const ClosedQuery& query, const Page& page) {
  QueryParameters parameters;
  add_if_set(parameters, "service", query.service.str());
  add_if_set(parameters, "user", query.user);
  add_if_set(parameters, "reason", query.reason);
  add_page(parameters, page);
  return parameters;
}

QueryParameters parameters(const MessageQuery& query, const Page& page) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  add_if_set(list, "kind", query.kind);
  add_if_set(list, "recipient", query.recipient);
  add_if_set(list, "tenant", query.tenant);
  add_if_set(list, "event", query.event);
  add_page(list, page);
  return list;
}

QueryParameters parameters(const DurationQuery& query) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  add_if_set(list, "user", query.user);
  add_if_set(list, "token", query.token);
  if (query.connection.valid()) list.emplace_back("connection", query.connection.str());
  return list;
}

Json to_json(const ChannelQuery& query) {
  Json json{{"channels", query.channels}};
  if (!query.user.empty()) json["user"] = query.user;
  if (!query.tenant.empty()) json["tenant"] = query.tenant;
  if (!query.token.empty()) json["token"] = query.token;
  return json;
}

ChannelQuery channel_query_from_json(const Json& json) {
  event::require_fields(json, {"user", "tenant", "token", "channels"}, "the question about channels");
  ChannelQuery query{
      event::string_field(json, "user"), event::string_field(json, "tenant"), event::string_field(json, "token"), {}};
  const auto channels = json.find("channels");
  const bool is_list = channels != json.end() && channels->is_array() && !channels->empty() &&
                       channels->size() <= ChannelQuery::kMaxChannels;
  if (!is_list) {
    throw Error(ErrorCode::kInvalidArgument,
                "field 'channels' must be a list of 1 to " + std::to_string(ChannelQuery::kMaxChannels) + " names");
  }
  for (const Json& name : *channels) query.channels.push_back(name.get<std::string>());
  // The limits of a send to them.
  event::Target target{event::TargetKind::kChannel, query.channels, false};
  event::normalize(target);
  return query;
}

QueryParameters parameters(const ExplainQuery& query, const Page& page) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  for (const std::string& user : query.users) list.emplace_back("user", user);
  add_if_set(list, "tenant", query.tenant);
  add_if_set(list, "token", query.token);
  add_if_set(list, "channel", query.channel);
  add_if_set(list, "event", query.event);
  if (query.listening) list.emplace_back("listening", "true");
  if (query.size != 0) list.emplace_back("size", std::to_string(query.size));
  add_page(list, page);
  return list;
}

QueryParameters parameters(const EventQuery& query) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  add_if_set(list, "user", query.user);
  add_if_set(list, "type", query.type);
  if (query.last) list.emplace_back("last", std::to_string(*query.last));
  add_if_set(list, "since", query.since);
  return list;
}

QueryParameters parameters(const MessageQuery& query) {
  QueryParameters list;
  add_if_set(list, "service", query.service.str());
  add_if_set(list, "kind", query.kind);
  add_if_set(list, "recipient", query.recipient);
  add_if_set(list, "tenant", query.tenant);
  add_if_set(list, "event", query.event);
  return list;
}

}  // namespace sse::api
