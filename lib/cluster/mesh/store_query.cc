#include "cluster/mesh/store_query.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/typed_json.h"
#include "event/json.h"

namespace sse::cluster {
namespace {

using event::Json;
using store::PendingMessage;
using store::Recipient;

constexpr const char* kConfirm = "confirm";
constexpr const char* kPending = "pending";
constexpr const char* kReplaceOlder = "replace";
constexpr const char* kAttempts = "attempts";
constexpr const char* kKnownImports = "known";
constexpr const char* kLook = "look";
constexpr const char* kSettle = "settle";

Json line_of(const char* what, const ServiceName& service, const Recipient& recipient) {
  return {
      {"do", what}, {"service", service.str()}, {"kind", event::kind_name(recipient.kind)}, {"name", recipient.name}};
}

KnownImportsQuery decode_known(const Json& line, ServiceName service, Recipient recipient) {
  KnownImportsQuery query{std::move(service), std::move(recipient), {}};
  const auto list = line.find("list");
  if (list == line.end() || !list->is_array()) return query;
  for (const Json& one : *list) {
    if (!one.is_object()) throw Error(ErrorCode::kInvalidArgument, "invalid query of another node's repository");
    query.imports.push_back({event::string_field(one, "key"), MessageId(event::id_field(one, "id")),
                             event::string_field(one, "collapse"), from_millis(number_in(one, "created", 0))});
  }
  return query;
}

}  // namespace

std::string encode(const ConfirmQuery& query) {
  Json line = line_of(kConfirm, query.service, query.recipient);
  line["id"] = query.id.str();
  return event::dump_json(line);
}

std::string encode(const PendingQuery& query) {
  Json line = line_of(kPending, query.service, query.recipient);
  line["after"] = query.after.str();
  line["limit"] = query.limit;
  line["most"] = query.max_bytes.count();
  return event::dump_json(line);
}

std::string encode(const ReplaceQuery& query) {
  Json line = line_of(kReplaceOlder, query.service, query.recipient);
  line["collapse"] = query.collapse;
  line["id"] = query.id.str();
  return event::dump_json(line);
}

std::string encode(const AttemptsQuery& query) {
  Json line = line_of(kAttempts, query.service, query.recipient);
  line["id"] = query.id.str();
  line["attempts"] = query.count;
  return event::dump_json(line);
}

std::string encode(const KnownImportsQuery& query) {
  Json line = line_of(kKnownImports, query.service, query.recipient);
  line["list"] = Json::array();
  for (const KnownImportsQuery::Import& one : query.imports) {
    line["list"].push_back({{"key", one.key},
                            {"id", one.original.str()},
                            {"collapse", one.collapse},
                            {"created", to_millis(one.created)}});
  }
  return event::dump_json(line);
}

std::string encode(const RefreshQuery& /*query*/) {
  return event::dump_json(Json{{"do", kLook}});
}

std::string encode(const SettleQuery& /*query*/) {
  return event::dump_json(Json{{"do", kSettle}});
}

StoreQuery decode_store_query(std::string_view bytes) {
  const Json line = event::parse_json(bytes, "a query of another node's repository");
  if (!line.is_object()) throw Error(ErrorCode::kInvalidArgument, "invalid query of another node's repository");
  const std::string what = event::string_field(line, "do");
  if (what == kLook) return RefreshQuery{};
  if (what == kSettle) return SettleQuery{};
  ServiceName service(event::string_field(line, "service"));
  Recipient recipient{event::kind_from_name(event::string_field(line, "kind")), event::string_field(line, "name")};
  const MessageId id(event::id_field(line, "id"));
  if (what == kConfirm) return ConfirmQuery{std::move(service), std::move(recipient), id};
  if (what == kAttempts) {
    return AttemptsQuery{std::move(service), std::move(recipient), id,
                         static_cast<std::uint32_t>(std::min<std::uint64_t>(count_in(line, "attempts"), UINT32_MAX))};
  }
  if (what == kKnownImports) return decode_known(line, std::move(service), std::move(recipient));
  if (what == kReplaceOlder)
    return ReplaceQuery{std::move(service), std::move(recipient), event::string_field(line, "collapse"), id};
  if (what == kPending) {
    return PendingQuery{std::move(service), std::move(recipient), MessageId(event::id_field(line, "after")),
                        count_in(line, "limit"), ByteCount(count_in(line, "most"))};
  }
  throw Error(ErrorCode::kInvalidArgument, "another node's repository sent a query that this version does not know");
}

std::string encode(const PendingReply& reply) {
  std::string out;
  for (const PendingMessage& message : reply.messages) {
    Json line{{"id", message.id.str()},
              {"event", message.event},
              {"size", message.data.size()},
              {"created", to_millis(message.created)},
              {"expires", to_millis(message.expires)},
              {"attempts", message.attempts}};
    if (message.listening) line["listening"] = true;
    if (message.damaged) line["damaged"] = true;
    if (!message.collapse.empty()) line["collapse"] = message.collapse;
    out += event::dump_json(line) + '\n' + message.data.str();
  }
  return out;
}

PendingReply decode_pending_reply(std::string_view bytes, const ServiceName& service, const Recipient& recipient) {
  PendingReply reply;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const Json line = event::parse_json(bytes.substr(0, end), "a pending message of another node");
    const std::uint64_t size = count_in(line, "size");
    if (end == std::string_view::npos || size > bytes.size() - end - 1)
      throw Error(ErrorCode::kInvalidArgument, "a pending message of another node is cut off");
    PendingMessage message;
    message.id = MessageId(event::id_field(line, "id"));
    message.service = service;
    message.recipient = recipient;
    message.event = event::string_field(line, "event");
    message.collapse = event::string_field(line, "collapse");
    message.listening = event::bool_field(line, "listening");
    message.damaged = event::bool_field(line, "damaged");
    message.created = from_millis(number_in(line, "created", 0));
    message.expires = from_millis(number_in(line, "expires", 0));
    message.attempts = static_cast<std::uint32_t>(count_in(line, "attempts"));
    message.data = std::string(bytes.substr(end + 1, size));
    message.data_size = size;
    bytes.remove_prefix(end + 1 + size);
    reply.messages.push_back(std::move(message));
  }
  return reply;
}

std::string encode(const ReplaceReply& reply) {
  return reply.newer.valid() ? reply.newer.str() : "";
}

ReplaceReply decode_replace_reply(std::string_view bytes) {
  return {MessageId(parse_id(bytes).value_or(0))};
}

std::string encode(const KnownImportsReply& reply) {
  std::string ids;
  for (const MessageId id : reply.ids) ids += (ids.empty() ? "" : ",") + id.str();
  return ids;
}

KnownImportsReply decode_known_imports_reply(std::string_view bytes) {
  KnownImportsReply reply;
  for (const std::string& id : split_list(bytes)) reply.ids.emplace_back(parse_id(id).value_or(0));
  return reply;
}

}  // namespace sse::cluster
