#include "gateway/connection_json.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "api/types.h"
#include "base/text.h"
#include "hub/session_duration.h"

namespace sse::gateway {
namespace {

using event::Json;

// Numbers come as text from the page; what is none is shown as null.
Json number(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) return nullptr;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return nullptr;
  return value;
}

std::string text(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

// Names under which pages and proxies pass secrets on.
bool is_secret(const std::string& name) {
  const std::string lower = to_lower(name);
  for (const std::string_view part : {"token", "password", "passwd", "secret", "authorization", "session_id",
                                      "sessionid", "jwt", "api-key", "apikey"}) {
    if (lower.find(part) != std::string::npos) return true;
  }
  return false;
}

// What dump_json() makes of a string.
void append_string(std::string& out, std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
  if (plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += event::dump_json(Json(text));
  }
}

}  // namespace

Json to_json(const hub::ConnectionInfo& info, const ServiceName& service, const std::string& server_id) {
  const std::map<std::string, std::string> values = hub::form_values(info.attributes.query);
  Json parameters = Json::object();
  for (const auto& [name, value] : values) parameters[name] = is_secret(name) ? mask_secret(value) : value;
  Json profile = nullptr;
  if (!info.attributes.profile.empty()) {
    profile = event::parse_json_or_null(info.attributes.profile);
  } else if (!info.identity.user.empty()) {
    profile = {{"id", info.identity.user.str()}};
  }
  return {{"id", info.id.str()},
          {"service", service.str()},
          {"serverId", server_id},
          {"createTime", to_millis(info.created)},
          {"timeout", info.keepalive.count()},
          {"accessUserId", info.identity.user.str()},
          {"accessTenantId", info.identity.tenant.str()},
          {"accessToken", mask_secret(info.identity.token.str())},
          {"accessUser", profile},
          {"channel", info.channel.str()},
          {"listeners", info.listeners},
          {"clientId", text(values, "clientId")},
          {"clientVersion", text(values, "clientVersion")},
          {"clientInstanceId", text(values, "clientInstanceId")},
          {"clientInstanceTime", number(values, "clientInstanceTime")},
          {"clientImportModuleTime", number(values, "clientImportModuleTime")},
          {"accessTime", number(values, "accessTime")},
          {"sessionDuration", hub::session_duration(info, info.as_of)},
          {"messageCount", info.messages},
          {"requestMessageCount", info.request_messages},
          {"requestUploadCount", info.request_uploads},
          {"lastRequestTime", info.last_request ? Json(to_millis(*info.last_request)) : Json(nullptr)},
          {"requestIp", info.attributes.address},
          {"requestDomain", info.attributes.host},
          {"userAgent", info.attributes.user_agent},
          {"locationHref", text(values, "locationHref")},
          {"screen", text(values, "screen")},
          {"totalJSHeapSize", number(values, "totalJSHeapSize")},
          {"usedJSHeapSize", number(values, "usedJSHeapSize")},
          {"jsHeapSizeLimit", number(values, "jsHeapSizeLimit")},
          {"httpParameters", parameters},
          {"lastWriteTime", to_millis(info.last_write)},
          {"bytesSent", info.bytes_sent},
          {"backlogBytes", info.backlog_bytes},
          {"oldestUnsentMillis", info.oldest_unsent ? Json(info.oldest_unsent->count()) : Json(nullptr)},
          {"lastWriteMillis", std::max<std::int64_t>((info.as_of - info.last_write).count(), 0)},
          {"droppedCount", info.dropped},
          {"ack", info.confirms},
          {"inFlight", info.in_flight}};
}

Json to_json(const delivery::PendingMessage& message, bool with_data) {
  const std::string& name = message.recipient.name;
  Json json{{"id", message.id.str()},
            {"service", message.service.str()},
            {"kind", event::kind_name(message.recipient.kind)},
            {"recipient", message.recipient.kind == event::TargetKind::kToken ? mask_secret(name) : name},
            {"event", message.event},
            {"listening", message.listening},
            {"size", message.data_size},
            {"createTime", to_millis(message.created)},
            {"expireTime", to_millis(message.expires)},
            {"attempts", message.attempts}};
  if (with_data) json["data"] = message.data;
  if (!message.collapse.empty()) json["collapse"] = message.collapse;
  return json;
}

std::string to_text(const delivery::SendResult& sent) {
  std::string out;
  out.reserve(80 + sent.recipients.size() * 64);
  const auto number = [&out](std::string_view before, std::uint64_t value) {
    out.append(before).append(std::to_string(value));
  };
  number(R"({"delivered":)", sent.delivered);
  number(R"(,"id":")", sent.id);
  out += '"';
  for (const std::string& node : sent.missing) {
    out += &node == &sent.missing.front() ? R"(,"missing":[)" : ",";
    append_string(out, node);
  }
  if (!sent.missing.empty()) out += ']';
  number(R"(,"pending":)", sent.pending);
  out += R"(,"recipients":[)";
  for (const auto& [kind, name, delivered, state] : sent.recipients) {
    if (out.back() == '}') out += ',';
    number(R"({"delivered":)", delivered);
    out.append(R"(,"kind":")").append(event::kind_name(kind)).append(R"(","name":)");
    append_string(out, name);
    if (!state.empty()) out.append(R"(,"state":")").append(state).append(1, '"');
    out += '}';
  }
  out += ']';
  if (sent.repeated) out += R"(,"repeated":true)";
  out += '}';
  return out;
}

}  // namespace sse::gateway
