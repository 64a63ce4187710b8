#include "api/change_request.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"

namespace sse::api {

Json to_json(const ChangeRequest& request) {
  Json json = Json::object();
  for (const auto& [name, value] : request.change.attributes) json["attributes"][name] = value;
  for (const std::string& name : request.change.remove) json["attributes"][name] = nullptr;
  for (const ChannelName& channel : request.change.join) json["join"].push_back(channel.str());
  for (const ChannelName& channel : request.change.leave) json["leave"].push_back(channel.str());
  return json;
}

ConnectionChange connection_change_from_json(const Json& json) {
  event::require_fields(json, {"attributes", "join", "leave"}, "the change of a connection");
  ConnectionChange change;
  if (const auto attributes = json.find("attributes"); attributes != json.end()) {
    if (!attributes->is_object())
      throw Error(ErrorCode::kInvalidArgument, "field 'attributes' must be an object of names and texts");
    for (const auto& [name, value] : attributes->items()) {
      if (value.is_null()) {
        change.remove.push_back(name);
      } else {
        change.attributes.emplace_back(name, value.is_string() ? value.text() : event::dump_json(value));
      }
    }
  }
  const auto channels = [&json](const char* field, std::vector<ChannelName>& into) {
    const auto list = json.find(field);
    if (list == json.end()) return;
    if (!list->is_array() || !std::ranges::all_of(*list, [](const Json& one) { return one.is_string(); }))
      throw Error(ErrorCode::kInvalidArgument,
                  "field '" + std::string(field) + "' must be a list of names of channels");
    for (const Json& name : *list) into.emplace_back(name.text());
  };
  channels("join", change.join);
  channels("leave", change.leave);
  if (change.attributes.empty() && change.remove.empty() && change.join.empty() && change.leave.empty())
    throw Error(ErrorCode::kInvalidArgument, "the change of a connection is empty; give attributes, join or leave");
  return change;
}

}  // namespace sse::api
