#include "application/connection_json.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "api/types.h"
#include "base/text.h"
#include "base/url.h"
#include "hub/session_duration.h"
#include "store/message_row.h"

namespace sse::application {
namespace {

using event::Json;

// Pages send numbers as text; invalid ones become null.
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

// Parameter names that pages and proxies use for secrets.
bool is_secret(const std::string& name) {
  const std::string lower = to_lower(name);
  for (const std::string_view part : {"token", "ticket", "requestkey", "password", "passwd", "secret", "authorization",
                                      "session_id", "sessionid", "jwt", "api-key", "apikey"}) {
    if (lower.find(part) != std::string::npos) return true;
  }
  return false;
}

// In a page's address, also the parameters in which identity providers return credentials.
bool is_secret_in_url(const std::string& name) {
  const std::string lower = to_lower(name);
  return is_secret(name) || lower == "code" || lower == "key" || lower == "sig" || lower == "signature" ||
         lower == "assertion" || lower == "samlresponse" || lower == "sid" || lower == "auth";
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

// Appends the same text as dump_json() for a string.
void append_string(std::string& out, std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
  if (plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += event::dump_json(Json(text));
  }
}

}  // namespace

std::string mask_url(std::string_view url, const std::string& token) {
  std::string out;
  std::string_view rest = url;
  // RFC 3986 §3.1: text before "://" that contains any of these characters is not a scheme.
  const std::size_t scheme = std::min(url.find("://"), url.size());
  if (scheme < url.size() && url.substr(0, scheme).find_first_of("/?#&;=@") == std::string_view::npos) {
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
    const std::size_t at = url.substr(begin, end - begin).rfind('@');
    out = url.substr(0, begin);
    rest = url.substr(begin);
    if (at != std::string_view::npos) {
      out += "***";
      rest.remove_prefix(at);
    }
  }
  // A fragment may hold parameters like a query, also after a client-side route.
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("?#&;"), rest.size());
    const std::string_view piece = rest.substr(0, end);
    const std::size_t equals = piece.find('=');
    if (equals != std::string_view::npos && is_secret_in_url(url_decode(piece.substr(0, equals)))) {
      out.append(piece.substr(0, equals + 1)).append(mask_secret(piece.substr(equals + 1)));
    } else {
      out.append(piece);
    }
    if (end < rest.size()) out += rest[end];
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // Shorter tokens are masked completely, and would match inside ordinary words.
  if (token.size() >= 4) {
    replace_all(out, token, mask_secret(token));
    if (const std::string encoded = url_encode(token); encoded != token) replace_all(out, encoded, mask_secret(token));
  }
  return out;
}

Json channels_json(const std::vector<ChannelName>& channels) {
  Json list = Json::array();
  for (const ChannelName& channel : channels) list.push_back(channel.str());
  return list;
}

void mask_client_id(Json& connection) {
  const auto mask = [](Json& object) {
    const auto found = object.find("clientId");
    if (found != object.end() && found->is_string()) *found = mask_secret(found->get<std::string>());
  };
  mask(connection);
  if (const auto parameters = connection.find("httpParameters"); parameters != connection.end()) mask(*parameters);
}

Json to_json(const hub::ConnectionInfo& info, const ServiceName& service, const std::string& server_id) {
  const std::map<std::string, std::string> values = form_values(info.attributes.query);
  Json parameters = Json::object();
  const std::string& token = info.identity.token.str();
  for (const auto& [name, value] : values) {
    const bool is_url = name == "locationHref" || value.find("://") != std::string::npos;
    parameters[name] = is_secret(name) ? mask_secret(value) : is_url ? mask_url(value, token) : value;
  }
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
          {"accessToken", mask_secret(token)},
          {"accessUser", profile},
          {"channel", info.channel.str()},
          {"channels", channels_json(info.channels)},
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
          {"locationHref", mask_url(text(values, "locationHref"), token)},
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

Json to_json(const store::PendingMessage& message, bool with_data) {
  Json json = store::row_of(message);
  if (with_data) json["data"] = message.data;
  if (!message.collapse.empty()) json["collapse"] = message.collapse;
  if (message.notify) json["notify"] = true;
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
    const bool member = kind == event::TargetKind::kMember;
    const event::ApiName shown = member ? event::shown(kind, name) : event::ApiName{};
    out.append(R"(,"kind":")").append(event::kind_name(member ? shown.kind : kind)).append(R"(","name":)");
    append_string(out, member ? shown.name : name);
    if (!state.empty()) out.append(R"(,"state":")").append(state).append(1, '"');
    if (member) {
      out.append(R"(,"tenant":)");
      append_string(out, shown.tenant);
    }
    out += '}';
  }
  out += ']';
  if (sent.repeated) out += R"(,"repeated":true)";
  out += '}';
  return out;
}

}  // namespace sse::application
