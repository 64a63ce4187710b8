#include "api/types.h"

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

void add_if_set(QueryParameters& parameters, const char* name, const std::string& value) {
  if (!value.empty()) parameters.emplace_back(name, value);
}

void add_page(QueryParameters& parameters, const Page& page) {
  parameters.emplace_back("pageNum", std::to_string(page.number));
  parameters.emplace_back("pageSize", std::to_string(page.size));
}

}  // namespace

Json to_json(const SendRequest& request) {
  Json json{{"target", event::to_json(request.target)}, {"event", request.event}, {"data", request.data}};
  if (!request.service.empty()) json["service"] = request.service.str();
  if (request.qos) json["qos"] = true;
  if (request.ttl) json["ttl"] = format_duration(*request.ttl);
  return json;
}

SendRequest send_request_from_json(const Json& json) {
  event::require_fields(json, {"service", "target", "event", "data", "qos", "ttl"}, "the request to send");
  SendRequest request;
  request.service = ServiceName(event::string_field(json, "service"));
  request.target = event::target_from_json(required_target(json));
  request.event = event::string_field(json, "event", kDefaultEvent);
  if (const auto data = json.find("data"); data != json.end()) {
    request.data = data->is_string() ? data->get<std::string>() : event::dump_json(*data);
  }
  request.qos = event::bool_field(json, "qos");
  if (const std::string ttl = event::string_field(json, "ttl"); !ttl.empty()) {
    request.ttl = parse_duration(ttl);
    if (request.ttl->count() == 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  "a ttl of 0 would expire at once; leave it out for the server's default");
    }
    if (!request.qos) throw Error(ErrorCode::kInvalidArgument, "a ttl needs qos: without it nothing is kept");
  }
  return request;
}

Json to_json(const SendResult& result) {
  Json recipients = Json::array();
  for (const SendResult::Recipient& one : result.recipients) {
    recipients.push_back({{"kind", event::kind_name(one.kind)}, {"name", one.name}, {"delivered", one.delivered}});
  }
  return {{"id", result.id.str()},
          {"delivered", result.delivered},
          {"pending", result.pending},
          {"recipients", std::move(recipients)}};
}

SendResult send_result_from_json(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::kInvalidArgument, "the answer to a send must be a JSON object");
  SendResult result;
  result.id = MessageId(event::id_field(json, "id"));
  result.delivered = count_field(json, "delivered");
  result.pending = count_field(json, "pending");
  if (const auto list = json.find("recipients"); list != json.end() && list->is_array()) {
    for (const Json& one : *list) {
      if (!one.is_object()) throw Error(ErrorCode::kInvalidArgument, "field 'recipients' must be a list of objects");
      result.recipients.push_back({event::kind_from_name(event::string_field(one, "kind")),
                                   event::string_field(one, "name"), count_field(one, "delivered")});
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
  const auto ids = json.find("ids");
  if ((ids != json.end()) == json.contains("target")) {
    throw Error(ErrorCode::kInvalidArgument, "the request to close must have either ids or target");
  }
  if (ids == json.end()) {
    request.target = event::target_from_json(required_target(json));
    return request;
  }
  if (!ids->is_array() || ids->empty()) {
    throw Error(ErrorCode::kInvalidArgument, "field 'ids' must be a list of at least one connection id");
  }
  for (const Json& one : *ids) {
    const ConnectionId id(event::id_field({{"id", one}}, "id"));
    if (!id.valid()) {
      throw Error(ErrorCode::kInvalidArgument, printable(event::dump_json(one), 40) + " in 'ids' is no connection id");
    }
    request.ids.push_back(id);
  }
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
  add_if_set(list, "event", query.event);
  add_page(list, page);
  return list;
}

}  // namespace sse::api
