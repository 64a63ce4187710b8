#include "gateway/happening.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace sse::gateway {
namespace {

using event::Json;

constexpr std::array<std::string_view, 6> kTypes{"connect", "disconnect", "listening", "message", "upload", "send"};

Json connection_fields(const hub::ConnectionInfo& info) {
  return {{"connection", info.id.str()},
          {"user", info.identity.user.str()},
          {"tenant", info.identity.tenant.str()},
          {"channel", info.channel.str()},
          {"client", hub::form_value(info.attributes.query, "clientId")},
          {"address", info.attributes.address}};
}

Json names_shown(const event::Target& target) {
  Json names = Json::array();
  for (const std::string& name : target.names)
    names.push_back(target.kind == event::TargetKind::kToken ? mask_secret(name)
                                                             : event::shown(target.kind, name).name);
  return names;
}

}  // namespace

std::chrono::milliseconds Happening::age() const {
  if (!connection) return std::chrono::milliseconds(0);
  return std::max(time - connection->created, std::chrono::milliseconds(0));
}

std::size_t Happening::count_bytes() const {
  std::size_t sum = sizeof *this + note.size() + path.size() + event.size();
  const auto add = [&sum](const std::vector<std::string>& all) {
    for (const std::string& one : all) sum += sizeof one + one.size();
  };
  add(names);
  if (target) add(target->names);
  if (!connection) return sum;
  const hub::Attributes& known = connection->attributes;
  add(connection->listeners);
  for (const std::string* text :
       {&known.query, &known.address, &known.user_agent, &known.host, &known.origin, &known.profile})
    sum += text->size();
  return sum + connection->identity.user.str().size() + connection->identity.tenant.str().size() +
         connection->identity.token.str().size() + connection->channel.str().size();
}

std::string_view type_name(Happening::Type type) {
  return kTypes.at(static_cast<std::size_t>(type));
}

Happening::Type type_from_name(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name);
  if (found == kTypes.end()) {
    throw Error(ErrorCode::kInvalidArgument, "'" + printable(name, 40) +
                                                 "' is no type of event; there are connect, disconnect, listening, "
                                                 "message, upload and send");
  }
  return static_cast<Happening::Type>(found - kTypes.begin());
}

Json to_json(const Happening& happening) {
  Json json = happening.connection ? connection_fields(*happening.connection) : Json::object();
  json["type"] = type_name(happening.type);
  json["time"] = to_millis(happening.time);
  json["service"] = happening.service.str();
  switch (happening.type) {
    case Happening::Type::kConnect:
      json["listeners"] = happening.connection ? Json(happening.connection->listeners) : Json::array();
      break;
    case Happening::Type::kDisconnect:
      json["reason"] = happening.reason;
      json["note"] = printable(happening.note, 200);
      json["durationMillis"] = happening.age().count();
      json["messageCount"] = happening.connection ? happening.connection->messages : 0;
      break;
    case Happening::Type::kListening:
      json[happening.added ? "added" : "removed"] = happening.names;
      break;
    case Happening::Type::kMessage:
    case Happening::Type::kUpload:
      json["path"] = printable(happening.path, 200);
      json["status"] = happening.status;
      break;
    case Happening::Type::kSend:
      json["id"] = std::to_string(happening.message);
      json["event"] = happening.event;
      json["qos"] = happening.qos;
      json["delivered"] = happening.delivered;
      json["pending"] = happening.pending;
      if (happening.target) {
        const event::TargetKind kind = happening.target->kind;
        const bool member = kind == event::TargetKind::kMember && !happening.target->names.empty();
        json["kind"] = event::kind_name(member ? event::TargetKind::kUser : kind);
        if (member) json["tenant"] = event::shown(kind, happening.target->names.front()).tenant;
        json["names"] = names_shown(*happening.target);
        json["recipients"] = happening.recipients;
        json["listening"] = happening.target->listening;
      }
      break;
  }
  return json;
}

bool concerns(const Happening& happening, const UserId& user) {
  if (happening.connection) return happening.connection->identity.user == user;
  if (!happening.target) return false;
  const event::Target& target = *happening.target;
  if (target.kind != event::TargetKind::kUser && target.kind != event::TargetKind::kMember) return false;
  return std::ranges::any_of(target.names, [&](const std::string& name) {
    return (target.kind == event::TargetKind::kUser ? name : event::member_of(name).user) == user.str();
  });
}

}  // namespace sse::gateway
