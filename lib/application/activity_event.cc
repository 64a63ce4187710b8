#include "application/activity_event.h"

#include <algorithm>
#include <array>

#include "application/connection_json.h"
#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "store/message_row.h"
#include "store/outbox.h"

namespace sse::application {
namespace {

using event::Json;

constexpr std::array<std::string_view, 14> kTypes{"connect", "disconnect", "listening", "message", "upload",
                                                  "send",    "refused",    "occupied",  "vacated", "confirmed",
                                                  "expired", "dead",       "deleted",   "replaced"};

Json connection_fields(const hub::ConnectionInfo& info) {
  Json fields{{"user", info.identity.user.str()},
              {"tenant", info.identity.tenant.str()},
              {"channel", info.channel.str()},
              {"channels", channels_json(info.channels)},
              {"client", form_value(info.attributes.query, "clientId")},
              {"address", info.attributes.address}};
  if (info.id.valid()) fields["connection"] = info.id.str();
  return fields;
}

// Kind, names and tenant of a target.
Json target_fields(const event::Target& target) {
  const bool member = target.kind == event::TargetKind::kMember && !target.names.empty();
  Json names = Json::array();
  for (const std::string& name : target.names)
    names.push_back(target.kind == event::TargetKind::kToken ? mask_secret(name)
                                                             : event::shown(target.kind, name).name);
  Json fields{{"kind", event::kind_name(member ? event::TargetKind::kUser : target.kind)}, {"names", std::move(names)}};
  if (member) fields["tenant"] = event::shown(target.kind, target.names.front()).tenant;
  if (!target.of_tenant.empty()) fields["tenant"] = target.of_tenant;
  return fields;
}

bool names_user(const event::Target& target, const UserId& user) {
  if (target.kind != event::TargetKind::kUser && target.kind != event::TargetKind::kMember) return false;
  return std::ranges::any_of(target.names, [&](const std::string& name) {
    return (target.kind == event::TargetKind::kUser ? name : event::member_of(name).user) == user.str();
  });
}

}  // namespace

std::chrono::milliseconds ActivityEvent::age() const {
  if (!connection) return std::chrono::milliseconds(0);
  return std::max(time - connection->created, std::chrono::milliseconds(0));
}

std::size_t ActivityEvent::count_bytes() const {
  std::size_t sum = sizeof *this + note.size() + channel.size() + path.size() + event.size();
  const auto add = [&sum](const std::vector<std::string>& all) {
    for (const std::string& one : all) sum += sizeof one + one.size();
  };
  add(names);
  if (report) sum += store::bytes_of(*report);
  if (target) add(target->names);
  for (const event::Target& further : also) {
    sum += sizeof further;
    add(further.names);
  }
  if (!connection) return sum;
  const hub::Attributes& known = connection->attributes;
  add(connection->listeners);
  for (const std::string* text :
       {&known.query, &known.address, &known.user_agent, &known.host, &known.origin, &known.profile})
    sum += text->size();
  for (const ChannelName& one : connection->channels) sum += sizeof one + one.str().size();
  return sum + connection->identity.user.str().size() + connection->identity.tenant.str().size() +
         connection->identity.token.str().size() + connection->channel.str().size();
}

std::string_view type_name(ActivityEvent::Type type) {
  return kTypes.at(static_cast<std::size_t>(type));
}

ActivityEvent::Type type_from_name(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name);
  if (found == kTypes.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(name, 40) +
                    "' is not an event type; use connect, disconnect, listening, "
                    "message, upload, send, refused, occupied, vacated, confirmed, expired, "
                    "dead, deleted or replaced");
  }
  return static_cast<ActivityEvent::Type>(found - kTypes.begin());
}

ActivityEvent::Type type_of(DeliveryReport::Outcome outcome) {
  static_assert(static_cast<int>(ActivityEvent::Type::kReplaced) - static_cast<int>(ActivityEvent::Type::kConfirmed) ==
                static_cast<int>(DeliveryReport::Outcome::kReplaced));
  return static_cast<ActivityEvent::Type>(static_cast<unsigned>(ActivityEvent::Type::kConfirmed) +
                                          static_cast<unsigned>(outcome));
}

Json to_json(const DeliveryReport& report) {
  Json json{{"id", report.id.str()},
            {"event", report.event},
            {"createTime", to_millis(report.created)},
            {"attempts", report.attempts}};
  store::put_recipient(json, report.recipient.kind, report.recipient.name);
  if (report.original.valid()) json["originalId"] = report.original.str();
  if (!report.key.empty()) json["key"] = report.key;
  return json;
}

Json to_json(const ActivityEvent& activity) {
  Json json = activity.connection ? connection_fields(*activity.connection) : Json::object();
  json["type"] = type_name(activity.type);
  json["time"] = to_millis(activity.time);
  json["service"] = activity.service.str();
  switch (activity.type) {
    case ActivityEvent::Type::kConnect:
      json["listeners"] = activity.connection ? Json(activity.connection->listeners) : Json::array();
      break;
    case ActivityEvent::Type::kDisconnect:
      json["reason"] = activity.reason;
      json["note"] = printable(activity.note, 200);
      json["durationMillis"] = activity.age().count();
      json["messageCount"] = activity.connection ? activity.connection->messages : 0;
      break;
    case ActivityEvent::Type::kListening:
      json[activity.added ? "added" : "removed"] = activity.names;
      break;
    case ActivityEvent::Type::kMessage:
    case ActivityEvent::Type::kUpload:
      json["path"] = printable(activity.path, 200);
      json["status"] = activity.status;
      break;
    case ActivityEvent::Type::kRefused:
      json["reason"] = activity.reason;
      json["note"] = printable(activity.note, 200);
      json["status"] = activity.status;
      break;
    case ActivityEvent::Type::kOccupied:
    case ActivityEvent::Type::kVacated:
      json["channel"] = activity.channel;
      break;
    case ActivityEvent::Type::kSend:
      json["id"] = std::to_string(activity.message);
      json["event"] = activity.event;
      json["qos"] = activity.qos;
      json["delivered"] = activity.delivered;
      json["pending"] = activity.pending;
      if (activity.target) {
        json.update(target_fields(*activity.target));
        for (const event::Target& further : activity.also) json["also"].push_back(target_fields(further));
        json["recipients"] = activity.recipients;
        json["listening"] = activity.target->listening;
      }
      break;
    case ActivityEvent::Type::kConfirmed:
    case ActivityEvent::Type::kExpired:
    case ActivityEvent::Type::kDead:
    case ActivityEvent::Type::kDeleted:
    case ActivityEvent::Type::kReplaced:
      json.update(to_json(*activity.report));
      break;
  }
  return json;
}

bool concerns(const ActivityEvent& activity, const UserId& user) {
  if (activity.connection) return activity.connection->identity.user == user;
  if (activity.report) {
    const Recipient& recipient = activity.report->recipient;
    return names_user({recipient.kind, {recipient.name}}, user);
  }
  if (!activity.target) return false;
  return names_user(*activity.target, user) ||
         std::ranges::any_of(activity.also, [&](const event::Target& further) { return names_user(further, user); });
}

}  // namespace sse::application
