#include "admin/node_replies.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/text.h"
#include "cluster/core/typed_json.h"

namespace sse::admin {
namespace {

using cluster::bounded_sum;
using cluster::count_in;
using event::Json;

// The number in a field that every node writes.
std::uint64_t require_count(const Json& document, const char* name) {
  if (!document.is_object()) cluster::refuse_reply();
  const auto found = document.find(name);
  if (found == document.end() || !found->is_number_unsigned()) cluster::refuse_reply();
  return found->get<std::uint64_t>();
}

std::vector<Json> objects_in(const Json& document, const char* name) {
  std::vector<Json> rows;
  for (const Json& row : cluster::list_in(document, name)) {
    if (!row.is_object()) cluster::refuse_reply();
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> strings_in(const Json& document, const char* name) {
  std::vector<std::string> texts;
  for (const Json& one : cluster::list_in(document, name)) {
    if (!one.is_string()) cluster::refuse_reply();
    texts.push_back(one.text());
  }
  return texts;
}

}  // namespace

CloseReply CloseReply::read(const Json& document) {
  return {require_count(document, "closed")};
}

void CloseReply::merge(CloseReply&& other) {
  closed = bounded_sum(closed, other.closed);
}

DeleteReply DeleteReply::read(const Json& document) {
  return {require_count(document, "deleted")};
}

void DeleteReply::merge(DeleteReply&& other) {
  deleted = bounded_sum(deleted, other.deleted);
}

RetryReply RetryReply::read(const Json& document) {
  return {require_count(document, "delivered")};
}

void RetryReply::merge(RetryReply&& other) {
  delivered = bounded_sum(delivered, other.delivered);
}

RequeueReply RequeueReply::read(const Json& document) {
  return {strings_in(document, "ids")};
}

void RequeueReply::merge(RequeueReply&& other) {
  add_new(ids, std::move(other.ids));
}

SetDurationReply SetDurationReply::read(const Json& document) {
  return {static_cast<std::int64_t>(std::min(require_count(document, "duration"), cluster::kMaxTotal)),
          require_count(document, "connections"), count_in(document, "pending")};
}

void SetDurationReply::merge(SetDurationReply&& other) {
  connections = bounded_sum(connections, other.connections);
  pending = bounded_sum(pending, other.pending);
}

ClearDurationReply ClearDurationReply::read(const Json& document) {
  return {require_count(document, "connections"), count_in(document, "pending")};
}

void ClearDurationReply::merge(ClearDurationReply&& other) {
  connections = bounded_sum(connections, other.connections);
  pending = bounded_sum(pending, other.pending);
}

DurationsReply DurationsReply::read(const Json& document) {
  DurationsReply reply;
  reply.connections = objects_in(document, "connections");
  const auto found = document.find("pending");
  if (found != document.end() && found->is_object()) {
    reply.pending = *found;
    reply.pending_id = MessageId(whole_number(cluster::text_in(*found, "id")).value_or(0));
  }
  return reply;
}

void DurationsReply::merge(DurationsReply&& other) {
  add_new(connections, std::move(other.connections));
  if (!other.pending || (pending && other.pending_id <= pending_id)) return;
  pending = std::move(other.pending);
  pending_id = other.pending_id;
}

Json DurationsReply::json() const {
  return {{"connections", Json(connections)}, {"pending", pending ? *pending : Json(nullptr)}};
}

UserReply UserReply::read(const Json& document) {
  UserReply reply;
  reply.user = UserRow::read(document);
  reply.service = cluster::text_in(document, "service");
  reply.tokens = strings_in(document, "tokens");
  reply.connections = objects_in(document, "connectionList");
  return reply;
}

void UserReply::merge(UserReply&& other) {
  user.merge(std::move(other.user));
  add_new(tokens, std::move(other.tokens));
  add_new(connections, std::move(other.connections));
}

Json UserReply::json() const {
  Json json = user.json();
  json["service"] = service;
  json["tokens"] = tokens;
  json["connectionList"] = Json(connections);
  return json;
}

ChannelReply ChannelReply::read(const Json& document) {
  ChannelReply reply;
  reply.name = cluster::text_in(document, "name");
  reply.service = cluster::text_in(document, "service");
  reply.connections = count_in(document, "connections");
  reply.members = count_in(document, "memberCount");
  reply.rate = count_in(document, "eventsPerMinute");
  reply.first_connect = cluster::number_in(document, "firstConnectTime", 0);
  reply.last_connect = cluster::number_in(document, "lastConnectTime", 0);
  if (const auto history = document.find("history"); history != document.end() && history->is_object())
    reply.history = Retained{count_in(*history, "events"), count_in(*history, "bytes")};
  for (const Json& one : objects_in(document, "members")) {
    const auto profile = one.find("profile");
    reply.list.push_back({cluster::text_in(one, "tenant"), cluster::text_in(one, "user"), count_in(one, "connections"),
                          profile == one.end() ? Json(nullptr) : *profile});
  }
  return reply;
}

void ChannelReply::merge(ChannelReply&& other) {
  const bool all_listed = list.size() == members && other.list.size() == other.members;
  connections = bounded_sum(connections, other.connections);
  // Both nodes have had what was sent to both.
  rate = std::max(rate, other.rate);
  first_connect = std::min(first_connect, other.first_connect);
  last_connect = std::max(last_connect, other.last_connect);
  if (other.history && (!history || other.history->events > history->events)) history = other.history;
  std::map<std::pair<std::string, std::string>, Member> known;
  for (std::vector<Member>* part : {&list, &other.list}) {
    for (Member& one : *part) {
      const auto [entry, is_new] = known.try_emplace({one.tenant, one.user}, one);
      if (!is_new) entry->second.connections = bounded_sum(entry->second.connections, one.connections);
    }
  }
  members = all_listed ? known.size() : bounded_sum(members, other.members);
  list.clear();
  for (auto& [id, member] : known) {
    if (list.size() < kMaxListed || all_listed) list.push_back(std::move(member));
  }
}

Json ChannelReply::json() const {
  Json shown = Json::array();
  for (const Member& one : list) {
    if (shown.size() == kMaxListed) break;
    Json member{{"user", one.user}, {"connections", one.connections}};
    if (!one.tenant.empty()) member["tenant"] = one.tenant;
    if (!one.profile.is_null()) member["profile"] = one.profile;
    shown.push_back(std::move(member));
  }
  return {{"name", name},
          {"service", service},
          {"connections", connections},
          {"memberCount", members},
          {"eventsPerMinute", rate},
          {"firstConnectTime", first_connect},
          {"lastConnectTime", last_connect},
          {"history", history ? Json{{"events", history->events}, {"bytes", history->bytes}} : Json(nullptr)},
          {"members", std::move(shown)}};
}

MessageReply MessageReply::read(const Json& document) {
  return {objects_in(document, "list"), cluster::texts_in(document, "missing")};
}

void MessageReply::merge(MessageReply&& other) {
  add_new(rows, std::move(other.rows));
  missing.merge(other.missing);
}

Json MessageReply::json() const {
  Json json{{"list", Json(rows)}};
  if (!missing.empty()) json["missing"] = missing;
  return json;
}

TraceReply TraceReply::read(const Json& document) {
  TraceReply reply;
  reply.id = cluster::text_in(document, "id");
  reply.traceparent = cluster::text_in(document, "traceparent");
  for (Json& step : objects_in(document, "list")) {
    const std::int64_t time = cluster::number_in(step, "time", 0);
    std::string what = cluster::text_in(step, "what");
    reply.steps.push_back({time, std::move(what), std::move(step)});
  }
  reply.pending = objects_in(document, "pending");
  reply.missing = cluster::texts_in(document, "missing");
  return reply;
}

void TraceReply::merge(TraceReply&& other) {
  std::move(other.steps.begin(), other.steps.end(), std::back_inserter(steps));
  add_new(pending, std::move(other.pending));
  missing.merge(other.missing);
  if (traceparent.empty()) traceparent = std::move(other.traceparent);
}

Json TraceReply::json() const {
  std::vector<Step> ordered = steps;
  std::stable_sort(ordered.begin(), ordered.end(), [](const Step& a, const Step& b) { return a.time < b.time; });
  Json list = Json::array();
  std::set<std::string> begun;
  std::set<Json> expired;
  for (Step& step : ordered) {
    if ((step.what == "accepted" || step.what == "committed") && !begun.insert(step.what).second) continue;
    if (step.what == "expired") {
      Json who = step.document;
      who.erase("time");
      if (!expired.insert(std::move(who)).second) continue;
    }
    list.push_back(std::move(step.document));
  }
  Json json{{"id", id}, {"list", std::move(list)}, {"pending", Json(pending)}};
  if (!traceparent.empty()) json["traceparent"] = traceparent;
  if (!missing.empty()) json["missing"] = missing;
  return json;
}

ExplainReply ExplainReply::read(const Json& document) {
  ExplainReply reply;
  for (Json& row : objects_in(document, "list")) {
    Row one;
    const auto connection = row.find("connection");
    if (connection != row.end() && !connection->is_null())
      one.connection = ConnectionId(whole_number(cluster::text_in(row, "connection")).value_or(0));
    one.gets = cluster::flag_in(row, "gets");
    const auto reasons = row.find("reasons");
    one.reasons = reasons != row.end() && reasons->is_array() ? reasons->size() : 0;
    one.document = std::move(row);
    reply.rows.push_back(std::move(one));
  }
  reply.total = count_in(document, "total");
  reply.receivers = count_in(document, "receivers");
  return reply;
}

ExplainReply ExplainReply::merged(std::vector<ExplainReply> replies) {
  ExplainReply all;
  struct Absent {
    Row row;
    std::size_t nodes = 0;  // that report it
  };
  std::map<Json, Absent> absent;  // by what they say except the reasons
  for (ExplainReply& reply : replies) {
    all.total = bounded_sum(all.total, reply.total);
    all.receivers = bounded_sum(all.receivers, reply.receivers);
    for (Row& row : reply.rows) {
      if (row.connection) {
        all.rows.push_back(std::move(row));
        continue;
      }
      all.total -= std::min<std::uint64_t>(all.total, 1);
      Json who = row.document;
      who.erase("reasons");
      Absent& known = absent[who];
      // Another service on one node may have what all others lack.
      if (known.nodes++ == 0 || row.reasons > known.row.reasons) known.row = std::move(row);
    }
  }
  std::stable_sort(all.rows.begin(), all.rows.end(),
                   [](const Row& a, const Row& b) { return a.gets != b.gets ? a.gets : a.connection < b.connection; });
  for (auto& [who, known] : absent) {
    if (known.nodes < replies.size()) continue;
    all.rows.push_back(std::move(known.row));
    ++all.total;
  }
  return all;
}

Json ExplainReply::json(std::uint64_t page, std::uint64_t size) const {
  return {{"total", total},
          {"pageNum", page},
          {"pageSize", size},
          {"receivers", receivers},
          {"list", cluster::page_of(rows, page, size)}};
}

}  // namespace sse::admin
