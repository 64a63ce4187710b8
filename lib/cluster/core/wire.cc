#include "cluster/core/wire.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "cluster/core/typed_json.h"
#include "event/json.h"

namespace sse::cluster {
namespace {

using event::Json;

constexpr std::string_view kDeliverBegin = "deliver ";
constexpr std::uint64_t kListening = 1;
constexpr std::uint64_t kAgain = 2;
constexpr std::uint64_t kSeveral = 4;
constexpr std::uint64_t kInUnion = 8;
constexpr std::string_view kOfTenant = "tenant=";
constexpr std::string_view kExcept = "except=";
constexpr std::string_view kTraceparent = "trace=";
constexpr std::size_t kMaxReplyLine = 4096;
constexpr std::string_view kRequest = "request";
constexpr std::string_view kAdmin = "admin";
constexpr std::string_view kBody = "body";
constexpr std::string_view kClient = "client";
constexpr std::string_view kReplace = "replace";
constexpr std::string_view kLocate = "locate";
constexpr std::string_view kStore = "store";
constexpr std::string_view kPresence = "presence";
// In the order of RequestEntry.
constexpr std::array<std::string_view, 2> kEntryNames{"pages", "cluster"};

[[noreturn]] void refuse_event() {
  throw Error(ErrorCode::kInvalidArgument, "an event of another node is invalid; do all nodes run the same version?");
}

// `line` begins after the first word.
DeliverCommand decode_deliver(std::string_view line, std::string_view rest) {
  const auto number = [&line] {
    std::uint64_t value = 0;
    if (!take_number(line, ' ', value)) refuse_event();
    return value;
  };
  const auto piece = [&rest](std::uint64_t size) {
    if (size > rest.size()) refuse_event();
    const std::string_view found = rest.substr(0, size);
    rest.remove_prefix(size);
    return found;
  };
  DeliverCommand command;
  std::string_view kind;
  if (!take_word(line, ' ', kind)) refuse_event();
  command.kind = event::kind_from_name(kind);
  const std::uint64_t flags = number();
  command.listening = (flags & kListening) != 0;
  command.again = (flags & kAgain) != 0;
  command.several = (flags & kSeveral) != 0;
  command.in_union = (flags & kInUnion) != 0;
  const MessageId message(number());
  const std::uint64_t service = number();
  const std::uint64_t name = number();
  const std::uint64_t event = number();
  command.service = ServiceName(std::string(piece(service)));
  command.name = piece(name);
  command.event = piece(event);
  for (std::string_view option; take_word(line, ' ', option);) {
    if (option.starts_with(kOfTenant)) command.of_tenant = percent_decode(option.substr(kOfTenant.size()));
    if (option.starts_with(kExcept)) command.except = percent_decode(option.substr(kExcept.size()));
    if (option.starts_with(kTraceparent)) command.trace = parse_traceparent(option.substr(kTraceparent.size()));
  }
  if (std::max(command.of_tenant.size(), command.except.size()) > event::kMaxNameBytes) refuse_event();
  if (command.name.size() > event::kMaxNameBytes && command.kind == event::TargetKind::kChannel) refuse_event();
  const bool in_channel = command.kind == event::TargetKind::kChannel;
  command.frame = event::Frame::make(rest, message, command.kind, in_channel ? command.name : std::string_view());
  return command;
}

AdminCommand decode_admin(const Json& line, std::string_view document) {
  AdminCommand command{event::string_field(line, "operation"),
                       event::string_field(line, "id"),
                       event::string_field(line, "peer"),
                       {},
                       std::string(document)};
  if (command.operation.empty()) throw Error(ErrorCode::kInvalidArgument, "a request between nodes names no operation");
  if (const auto parameters = line.find("parameters"); parameters != line.end()) {
    if (!parameters->is_array())
      throw Error(ErrorCode::kInvalidArgument, "the parameters of a request between nodes must be a list");
    for (const Json& one : *parameters) command.parameters.emplace_back(text_in(one, "name"), text_in(one, "value"));
  }
  return command;
}

}  // namespace

std::string encode(const DeliverCommand& command) {
  const std::string_view frame = command.frame->bytes();
  std::string out;
  out.reserve(80 + command.service.str().size() + command.name.size() + command.event.size() + frame.size());
  out.append(kDeliverBegin).append(event::kind_name(command.kind));
  const std::uint64_t flags = (command.listening ? kListening : 0) | (command.again ? kAgain : 0) |
                              (command.several ? kSeveral : 0) | (command.in_union ? kInUnion : 0);
  for (const std::uint64_t number :
       {flags, command.frame->message().value(), std::uint64_t{command.service.str().size()},
        std::uint64_t{command.name.size()}, std::uint64_t{command.event.size()}})
    out.append(1, ' ').append(std::to_string(number));
  const auto option = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out.append(1, ' ').append(name).append(url_encode(value));
  };
  option(kOfTenant, command.of_tenant);
  option(kExcept, command.except);
  if (command.trace) out.append(1, ' ').append(kTraceparent).append(traceparent_text(*command.trace));
  out.append(" \n").append(command.service.str()).append(command.name).append(command.event).append(frame);
  return out;
}

std::string encode(const RequestCommand& command) {
  Json line{{"do", kRequest}, {"door", kEntryNames.at(static_cast<std::size_t>(command.entry))}};
  if (!command.peer.empty()) line["peer"] = command.peer;
  if (!command.body.empty()) line["body"] = command.body;
  return event::dump_json(line) + '\n' + command.request;
}

std::string encode(const AdminCommand& command) {
  Json line{{"do", kAdmin}, {"operation", command.operation}};
  if (!command.id.empty()) line["id"] = command.id;
  if (!command.peer.empty()) line["peer"] = command.peer;
  if (!command.parameters.empty()) {
    Json parameters = Json::array();
    for (const auto& [name, value] : command.parameters) parameters.push_back(Json{{"name", name}, {"value", value}});
    line["parameters"] = std::move(parameters);
  }
  return event::dump_json(line) + '\n' + command.document;
}

std::string encode(const AdminReply& reply) {
  Json line{{"status", reply.status}};
  if (reply.export_end) {
    const AdminReply::ExportEnd& end = *reply.export_end;
    line["export"] = {{"complete", end.complete}, {"last", std::to_string(end.last)}, {"total", end.total}};
  }
  return event::dump_json(line) + '\n' + reply.document;
}

AdminReply refusal_reply(ErrorCode code, const std::string& sentence) {
  const int status = http_status(code);
  return {status,
          {},
          event::dump_json({{"type", "about:blank"},
                            {"title", code == ErrorCode::kTimeout ? "Gateway Timeout" : "Error"},
                            {"status", status},
                            {"code", error_name(code)},
                            {"detail", printable(sentence, 1000)}})};
}

AdminReply decode_admin_reply(std::string_view bytes) {
  AdminReply reply;
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return reply;
  const std::optional<Json> line = read_json(bytes.substr(0, end), kMaxReplyLine);
  if (!line || !line->is_object()) return reply;
  const std::uint64_t status = count_in(*line, "status");
  if (status < 200 || status > 599) return reply;
  reply.status = static_cast<int>(status);
  if (const auto part = line->find("export"); part != line->end() && part->is_object())
    reply.export_end = {flag_in(*part, "complete"), parse_id(text_in(*part, "last")).value_or(0),
                        count_in(*part, "total")};
  reply.document = bytes.substr(end + 1);
  return reply;
}

std::string encode(const BodyCommand& command) {
  return event::dump_json(
             {{"do", kBody}, {"transfer", command.transfer}, {"offset", command.offset}, {"total", command.total}}) +
         '\n' + command.bytes;
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

std::string encode_taken(std::uint32_t streams) {
  return std::to_string(streams);
}

std::uint32_t decode_taken(std::string_view text) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(whole_number(text).value_or(0), UINT32_MAX));
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

std::string encode(const DeliveryStateCommand& command) {
  return event::dump_json({{"do", kLocate},
                           {"service", command.service.str()},
                           {"kind", event::kind_name(command.kind)},
                           {"name", command.name},
                           {"id", command.message.str()},
                           {"event", command.event},
                           {"listening", command.listening}}) +
         '\n';
}

std::string encode_place(const Place& place) {
  return std::to_string(place.state) + " " + place.connection.str();
}

std::optional<Place> decode_place(std::string_view text) {
  // Both may be 0, which is not a valid id.
  std::uint64_t state = 0;
  if (!take_number(text, ' ', state)) return std::nullopt;
  const auto connection = whole_number(text);
  if (!connection) return std::nullopt;
  return Place{state, ConnectionId(*connection)};
}

std::string encode(const StoreCommand& command) {
  return event::dump_json(Json{{"do", kStore}}) + '\n' + command.bytes;
}

std::string encode(const PresenceCommand& command) {
  return event::dump_json(Json{{"do", kPresence}}) + '\n' + command.bytes;
}

AnyCommand decode(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos)
    throw Error(ErrorCode::kInvalidArgument, "a command between nodes has no first line");
  if (bytes.starts_with(kDeliverBegin))
    return decode_deliver(bytes.substr(0, end).substr(kDeliverBegin.size()), bytes.substr(end + 1));
  const Json line = event::parse_json(bytes.substr(0, end), "a command between nodes");
  if (!line.is_object()) throw Error(ErrorCode::kInvalidArgument, "a command between nodes must be a JSON object");
  const std::string_view rest = bytes.substr(end + 1);
  const std::string what = event::string_field(line, "do");
  if (what == kRequest) {
    RequestCommand command;
    const std::string entry = event::string_field(line, "door");
    const auto* const known = std::ranges::find(kEntryNames, entry);
    if (known == kEntryNames.end())
      throw Error(ErrorCode::kInvalidArgument, "a request between nodes is for the cluster or for pages");
    command.entry = static_cast<RequestEntry>(known - kEntryNames.begin());
    command.peer = event::string_field(line, "peer");
    command.body = event::string_field(line, "body");
    command.request = rest;
    return command;
  }
  if (what == kAdmin) return decode_admin(line, rest);
  if (what == kBody) {
    return BodyCommand{event::string_field(line, "transfer"), count_in(line, "offset"), count_in(line, "total"),
                       std::string(rest)};
  }
  if (what == kClient) {
    return ClientCommand{ServiceName(event::string_field(line, "service")), event::string_field(line, "user"),
                         event::string_field(line, "client"), event::string_field(line, "origin"),
                         event::string_field(line, "tenant")};
  }
  if (what == kReplace) return ReplaceCommand{ServiceName(event::string_field(line, "service")), decode_ids(rest)};
  if (what == kLocate) {
    return DeliveryStateCommand{ServiceName(event::string_field(line, "service")),
                                event::kind_from_name(event::string_field(line, "kind")),
                                event::string_field(line, "name"),
                                MessageId(event::id_field(line, "id")),
                                event::string_field(line, "event"),
                                event::bool_field(line, "listening")};
  }
  if (what == kStore) return StoreCommand{std::string(rest)};
  if (what == kPresence) return PresenceCommand{std::string(rest)};
  throw Error(ErrorCode::kInvalidArgument, "a node sent an unknown command; do all nodes run the same version?");
}

}  // namespace sse::cluster
