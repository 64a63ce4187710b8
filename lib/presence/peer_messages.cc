#include "presence/peer_messages.h"

#include <map>

#include "base/error.h"
#include "event/json.h"

namespace sse::presence {
namespace {

using event::Json;

[[noreturn]] void refuse_message() {
  throw Error(ErrorCode::kInvalidArgument,
              "a message of another node about presence is invalid; do all nodes run the same version?");
}

const Json& require(const Json& object, const char* name) {
  if (!object.is_object()) refuse_message();
  const auto found = object.find(name);
  if (found == object.end()) refuse_message();
  return *found;
}

std::string text_of(const Json& object, const char* name) {
  const Json& text = require(object, name);
  if (!text.is_string()) refuse_message();
  return text.get<std::string>();
}

// `room`: how many more texts the message may have.
std::vector<std::string> texts_in(const Json& list, std::size_t& room) {
  if (!list.is_array() || list.size() > room) refuse_message();
  room -= list.size();
  std::vector<std::string> texts;
  for (const Json& one : list) {
    if (!one.is_string()) refuse_message();
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

Json wire_json(const MemberId& id) {
  Json json{{"user", id.user}};
  if (!id.tenant.empty()) json["tenant"] = id.tenant;
  return json;
}

Member member_of(const Json& json) {
  Member member{{json.is_object() && json.contains("tenant") ? text_of(json, "tenant") : "", text_of(json, "user")}};
  if (member.id.user.empty()) refuse_message();
  if (json.contains("profile")) member.profile = text_of(json, "profile");
  if (member.profile.size() > kMaxMemberProfile) refuse_message();
  return member;
}

const Json& members_in(const Json& document, const char* name) {
  const Json& list = require(document, name);
  if (!list.is_array() || list.size() > kMaxPeerMembers) refuse_message();
  return list;
}

}  // namespace

std::string encode(const WatchMessage& message) {
  std::map<std::string, Json> services;
  for (const auto& [service, channel] : message.channels) {
    const auto entry = services.try_emplace(service, Json::array()).first;
    entry->second.push_back(channel);
  }
  Json channels = Json::object();
  for (auto& [service, list] : services) channels[service] = std::move(list);
  return event::dump_json(
      {{"watch", message.watches}, {"all", message.all}, {"ask", message.ask}, {"channels", std::move(channels)}});
}

std::string encode(const MembersMessage& message) {
  Json json{{"service", message.channel.first}, {"channel", message.channel.second}, {"all", message.update.all}};
  if (message.update.count) json["count"] = *message.update.count;
  json["joined"] = Json::array();
  for (const Member& member : message.update.joined) {
    Json one = wire_json(member.id);
    if (!member.profile.empty()) one["profile"] = member.profile;
    json["joined"].push_back(std::move(one));
  }
  json["left"] = Json::array();
  for (const MemberId& id : message.update.left) json["left"].push_back(wire_json(id));
  return event::dump_json(json);
}

PeerMessage decode_peer_message(std::string_view bytes) {
  const Json json = event::parse_json_or_null(bytes);
  if (!json.is_object()) refuse_message();
  if (json.contains("watch")) {
    WatchMessage message;
    message.watches = event::bool_field(json, "watch");
    message.all = event::bool_field(json, "all");
    message.ask = event::bool_field(json, "ask");
    const Json& channels = require(json, "channels");
    if (!channels.is_object()) refuse_message();
    std::size_t room = kMaxPeerNames;
    for (const auto& [service, list] : channels.items()) {
      for (std::string& channel : texts_in(list, room)) message.channels.emplace_back(service, std::move(channel));
    }
    return message;
  }
  MembersMessage message;
  message.channel = {text_of(json, "service"), text_of(json, "channel")};
  message.update.all = event::bool_field(json, "all");
  if (const auto count = json.find("count"); count != json.end()) {
    if (!count->is_number_unsigned()) refuse_message();
    message.update.count = count->get<std::size_t>();
    if (*message.update.count > kMaxPeerCount) refuse_message();
  }
  for (const Json& one : members_in(json, "joined")) message.update.joined.push_back(member_of(one));
  for (const Json& one : members_in(json, "left")) message.update.left.push_back(member_of(one).id);
  return message;
}

}  // namespace sse::presence
