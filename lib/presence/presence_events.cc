#include "presence/presence_events.h"

#include <string_view>
#include <utility>

#include "event/event.h"
#include "event/json.h"

namespace sse::presence {
namespace {

using event::Json;

Json json_of(const MemberId& id) {
  Json json{{"user", id.user}};
  if (!id.tenant.empty()) json["tenant"] = id.tenant;
  return json;
}

Json json_of(const std::vector<Member>& members) {
  Json list = Json::array();
  for (const Member& member : members) {
    Json one = json_of(member.id);
    if (!member.profile.empty()) one["profile"] = event::parse_json_or_null(member.profile);
    list.push_back(std::move(one));
  }
  return list;
}

std::string event_text(std::string_view name, const std::string& channel, std::uint64_t version, std::size_t count,
                       Json members) {
  std::vector<std::pair<std::string_view, Json>> fields{{"channel", channel}, {"version", version}, {"count", count}};
  if (members.is_array()) fields.emplace_back("members", std::move(members));
  event::Event event;
  event.name = name;
  event.data = event::dump_fields(fields);
  return event::encode(event);
}

}  // namespace

std::string encode_snapshot(const std::string& channel, std::uint64_t version, const std::vector<Member>& members) {
  return event_text(event::kPresence, channel, version, members.size(), json_of(members));
}

std::string encode_count(const std::string& channel, std::uint64_t version, std::size_t count) {
  return event_text(event::kPresence, channel, version, count, nullptr);
}

std::string encode_refused(const std::string& channel, std::string_view reason) {
  event::Event event;
  event.name = event::kPresence;
  event.data = event::dump_fields({{"channel", channel}, {"refused", reason}});
  return event::encode(event);
}

std::string encode_join(const std::string& channel, std::uint64_t version, const std::vector<Member>& members,
                        std::size_t count) {
  return event_text(event::kPresenceJoin, channel, version, count, json_of(members));
}

std::string encode_leave(const std::string& channel, std::uint64_t version, const std::set<MemberId>& members,
                         std::size_t count) {
  Json list = Json::array();
  for (const MemberId& id : members) list.push_back(json_of(id));
  return event_text(event::kPresenceLeave, channel, version, count, std::move(list));
}

}  // namespace sse::presence
