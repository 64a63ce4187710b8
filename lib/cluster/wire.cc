#include "cluster/wire.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace sse::cluster {
namespace {

using event::Json;

constexpr std::string_view kDeliver = "deliver";
constexpr std::string_view kRequest = "request";
constexpr std::string_view kClient = "client";
constexpr std::string_view kReplace = "replace";
constexpr std::string_view kStore = "store";
// In the order of Door.
constexpr std::array<std::string_view, 3> kDoors{"pages", "admin", "cluster"};

}  // namespace

std::string encode(const DeliverCommand& command) {
  Json line{{"do", kDeliver}, {"service", command.service.str()}, {"kind", event::kind_name(command.kind)}};
  if (!command.name.empty()) line["name"] = command.name;
  if (!command.event.empty()) line["event"] = command.event;
  if (command.listening) line["listening"] = true;
  if (command.message.valid()) line["message"] = command.message.str();
  return event::dump_json(line) + '\n' + command.frame;
}

std::string encode(const RequestCommand& command) {
  Json line{{"do", kRequest}, {"door", kDoors.at(static_cast<std::size_t>(command.door))}};
  if (!command.peer.empty()) line["peer"] = command.peer;
  return event::dump_json(line) + '\n' + command.request;
}

std::string encode(const ClientCommand& command) {
  return event::dump_json({{"do", kClient},
                           {"service", command.service.str()},
                           {"user", command.user},
                           {"client", command.client},
                           {"origin", command.origin},
                           {"tenant", command.tenant}}) +
         '\n';
}

std::string encode(const ReplaceCommand& command) {
  return event::dump_json({{"do", kReplace}, {"service", command.service.str()}}) + '\n' + encode_ids(command.ids);
}

std::string encode_ids(const std::vector<ConnectionId>& ids) {
  std::string text;
  for (const ConnectionId id : ids) text += (text.empty() ? "" : ",") + id.str();
  return text;
}

std::vector<ConnectionId> decode_ids(std::string_view text) {
  std::vector<ConnectionId> ids;
  for (const std::string& one : split_list(std::string(text))) {
    if (const auto id = parse_id(one)) ids.emplace_back(*id);
  }
  return ids;
}

std::string encode(const StoreCommand& command) {
  return event::dump_json(Json{{"do", kStore}}) + '\n' + command.bytes;
}

AnyCommand decode(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos)
    throw Error(ErrorCode::kInvalidArgument, "a command between nodes has no line to begin with");
  const Json line = event::parse_json(bytes.substr(0, end), "a command between nodes");
  if (!line.is_object()) throw Error(ErrorCode::kInvalidArgument, "a command between nodes must be a JSON object");
  const std::string_view rest = bytes.substr(end + 1);
  const std::string what = event::string_field(line, "do");
  if (what == kDeliver) {
    DeliverCommand command;
    command.service = ServiceName(event::string_field(line, "service"));
    command.kind = event::kind_from_name(event::string_field(line, "kind"));
    command.name = event::string_field(line, "name");
    command.event = event::string_field(line, "event");
    command.listening = event::bool_field(line, "listening");
    command.message = MessageId(event::id_field(line, "message"));
    command.frame = rest;
    return command;
  }
  if (what == kRequest) {
    RequestCommand command;
    const std::string door = event::string_field(line, "door");
    const auto* const known = std::ranges::find(kDoors, door);
    if (known == kDoors.end())
      throw Error(ErrorCode::kInvalidArgument, "a request between nodes is for the admin API or for pages");
    command.door = static_cast<Door>(known - kDoors.begin());
    command.peer = event::string_field(line, "peer");
    command.request = rest;
    return command;
  }
  if (what == kClient) {
    return ClientCommand{ServiceName(event::string_field(line, "service")), event::string_field(line, "user"),
                         event::string_field(line, "client"), event::string_field(line, "origin"),
                         event::string_field(line, "tenant")};
  }
  if (what == kReplace) return ReplaceCommand{ServiceName(event::string_field(line, "service")), decode_ids(rest)};
  if (what == kStore) return StoreCommand{std::string(rest)};
  throw Error(ErrorCode::kInvalidArgument, "a node sent a command this version does not know; are all of one version?");
}

}  // namespace sse::cluster
