#include "admin/node_rows.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "cluster/core/typed_json.h"

namespace sse::admin {
namespace {

using cluster::SortKey;
using event::Json;

constexpr std::uint64_t kMaxCounted = 1'000'000'000'000;

const Json& require_object(const Json& row) {
  if (!row.is_object()) cluster::refuse_reply();
  return row;
}

// Ids are decimal strings.
SortKey id_key(const Json& row, const char* field) {
  return whole_number(cluster::text_in(row, field)).value_or(0);
}

SortKey text_key(const Json& row, const char* field) {
  return cluster::text_in(row, field);
}

// Null for a time means that there was none.
SortKey number_key(const Json& row, const char* field) {
  const auto found = row.find(field);
  if (found == row.end() || !found->is_number_unsigned()) return {};
  return found->get<std::uint64_t>();
}

SortKey time_key(std::int64_t time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time, 0));
}

Json member_or_null(const Json& row, const char* name) {
  const auto found = row.find(name);
  return found == row.end() ? Json(nullptr) : *found;
}

std::vector<std::string> text_list(const Json& row, const char* name) {
  std::vector<std::string> texts;
  const auto found = row.find(name);
  if (found == row.end() || !found->is_array()) return texts;
  for (const Json& one : *found) {
    if (one.is_string()) texts.push_back(one.text());
  }
  return texts;
}

}  // namespace

UnmergedRow::UnmergedRow(const Json& row) : document(require_object(row)) {}

void ConnectionRow::note_rate(WallTime at) {
  const std::int64_t now = to_millis(at);
  const std::int64_t created = std::clamp<std::int64_t>(cluster::number_in(document, "createTime", now), 0, now);
  const auto age = std::max<std::int64_t>(now - created, 1000);
  const std::uint64_t count = std::min(cluster::count_in(document, "messageCount"), kMaxCounted);
  rate = count * 1'000'000 / static_cast<std::uint64_t>(age);
}

SortKey ConnectionRow::sort_key(std::string_view column) const {
  if (column == "user") return text_key(document, "accessUserId");
  if (column == "tenant") return text_key(document, "accessTenantId");
  if (column == "channel") return text_key(document, "channel");
  if (column == "messages") return number_key(document, "messageCount");
  if (column == "bytes") return number_key(document, "bytesSent");
  if (column == "backlog") return number_key(document, "backlogBytes");
  if (column == "lastWrite") return number_key(document, "lastWriteTime");
  if (column == "lastRequest") return number_key(document, "lastRequestTime");
  if (column == "rate") return rate;
  return id_key(document, "id");
}

SortKey ClosedRow::sort_key(std::string_view /*column*/) const {
  return number_key(document, "closeTime");
}

SortKey MessageRow::sort_key(std::string_view /*column*/) const {
  return id_key(document, "id");
}

SortKey DeadRow::sort_key(std::string_view /*column*/) const {
  return number_key(document, "diedTime");
}

UserRow UserRow::read(const Json& row) {
  require_object(row);
  UserRow user;
  user.id = cluster::text_in(row, "id");
  user.name = member_or_null(row, "name");
  user.profile = member_or_null(row, "user");
  user.connections = cluster::count_in(row, "connections");
  user.tenants = text_list(row, "tenants");
  user.channels = text_list(row, "channels");
  user.first_connect = cluster::number_in(row, "firstConnectTime", 0);
  user.last_connect = cluster::number_in(row, "lastConnectTime", 0);
  if (member_or_null(row, "lastRequestTime").is_number_integer())
    user.last_request = cluster::number_in(row, "lastRequestTime", 0);
  user.session_duration = cluster::number_in(row, "sessionDuration", 0);
  return user;
}

Json UserRow::json() const {
  return {{"id", id},
          {"name", name},
          {"user", profile},
          {"connections", connections},
          {"tenants", tenants},
          {"channels", channels},
          {"firstConnectTime", first_connect},
          {"lastConnectTime", last_connect},
          {"lastRequestTime", last_request ? Json(*last_request) : Json(nullptr)},
          {"sessionDuration", session_duration}};
}

void UserRow::merge(UserRow&& other) {
  const bool newer = other.last_connect > last_connect;
  if (name.is_null() || (newer && !other.name.is_null())) name = std::move(other.name);
  if (profile.is_null() || (newer && !other.profile.is_null())) profile = std::move(other.profile);
  connections = cluster::bounded_sum(connections, other.connections);
  add_new(tenants, std::move(other.tenants));
  add_new(channels, std::move(other.channels));
  first_connect = std::min(first_connect, other.first_connect);
  last_connect = std::max(last_connect, other.last_connect);
  last_request = std::max(last_request, other.last_request);
  session_duration = std::max(session_duration, other.session_duration);
}

SortKey UserRow::sort_key(std::string_view column) const {
  if (column == "connections") return connections;
  if (column == "first") return time_key(first_connect);
  if (column == "last") return time_key(last_connect);
  return id;
}

UserIdRow UserIdRow::read(const Json& row) {
  if (!row.is_string()) cluster::refuse_reply();
  return {row.text()};
}

NameRow NameRow::read(const Json& row) {
  require_object(row);
  NameRow one;
  one.name = cluster::text_in(row, "name");
  one.hash = cluster::text_in(row, "key");
  one.connections = cluster::count_in(row, "connections");
  one.users = cluster::count_in(row, "users");
  one.user_hashes = cluster::texts_in(row, "userKeys");
  one.first_connect = cluster::number_in(row, "firstConnectTime", 0);
  one.last_connect = cluster::number_in(row, "lastConnectTime", 0);
  return one;
}

Json NameRow::json() const {
  return {{"name", name},
          {"connections", connections},
          {"users", user_count()},
          {"firstConnectTime", first_connect},
          {"lastConnectTime", last_connect}};
}

void NameRow::merge(NameRow&& other) {
  connections = cluster::bounded_sum(connections, other.connections);
  users = cluster::bounded_sum(users, other.users);
  user_hashes.merge(other.user_hashes);
  first_connect = std::min(first_connect, other.first_connect);
  last_connect = std::max(last_connect, other.last_connect);
}

SortKey NameRow::sort_key(std::string_view column) const {
  if (column == "connections") return connections;
  if (column == "users") return user_count();
  if (column == "first") return time_key(first_connect);
  if (column == "last") return time_key(last_connect);
  return name;
}

}  // namespace sse::admin
