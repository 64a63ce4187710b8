#include "pages/connect_parameters.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "base/url.h"
#include "event/json.h"
#include "hub/hub.h"
#include "net/request_head.h"
#include "pages/page_admission.h"

namespace sse::pages {
namespace {

using event::Json;

constexpr std::chrono::milliseconds kDefaultKeepalive{900'000};
constexpr std::size_t kMaxListenerNameBytes = 256;
constexpr std::size_t kMaxClientId = 256;
constexpr std::size_t kMaxUserAgent = 512;
constexpr std::string_view kChannel = "channel";
constexpr std::string_view kPresence = "presence";

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : event::dump_json(value);
}

// Appends the fields of a JSON body to the query, as form-encoded parameters.
void add_body_parameters(const httplib::Request& req, std::string& query) {
  if (req.body.empty() || !to_lower(req.get_header_value("Content-Type")).starts_with("application/json")) return;
  const Json body = event::parse_json(req.body, "the request body");
  if (body.is_null()) return;  // as the Java library
  if (!body.is_object()) throw Error(ErrorCode::kInvalidArgument, "the request body must be a JSON object");
  for (const auto& [name, value] : body.items()) {
    if ((name == kChannel || name == kPresence) && value.is_array()) {
      for (const Json& one : value) append_parameter(query, name, scalar_text(one));
    } else {
      append_parameter(query, name, scalar_text(value));
    }
  }
  if (query.size() > net::kMaxHead)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters are larger than 16 KiB");
}

std::chrono::milliseconds client_keepalive(const std::string& text) {
  if (text.empty()) return kDefaultKeepalive;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                "keepaliveTime '" + printable(text, 40) + "' is not a number of milliseconds");
  }
  // Negative: without an end, as in the Java library.
  return std::chrono::milliseconds(std::max<std::int64_t>(value, 0));
}

std::vector<std::string> values_of(const std::string& query, std::string_view parameter) {
  std::vector<std::string> values;
  for (auto& [name, value] : form_parameters(query)) {
    if (name == parameter && !value.empty()) values.push_back(std::move(value));
  }
  return values;
}

// Each value is one name. A single one may be any text, as in the Java library. The stream also joins those whose
// presence it watches.
std::vector<ChannelName> channels_in(const std::string& query, const std::vector<ChannelName>& watched) {
  std::vector<std::string> names = values_of(query, kChannel);
  if (names.empty() && watched.empty()) return {};
  for (const ChannelName& one : watched) names.push_back(one.str());
  if (names.size() == 1 && watched.empty()) return {ChannelName(checked_name(std::move(names.front()), "channel"))};
  return checked_channels(names);
}

void end_with_credentials(hub::NewConnection& connection, WallTime expires, WallTime now) {
  const auto left = std::max(expires - now, std::chrono::milliseconds(1));
  connection.ends_with_token = connection.keepalive.count() == 0 || left <= connection.keepalive;
  if (connection.ends_with_token) connection.keepalive = left;
}

}  // namespace

void set_keepalive(hub::NewConnection& connection, std::chrono::milliseconds keepalive) {
  if (keepalive == connection.keepalive) return;
  keepalive = std::max(keepalive, std::chrono::milliseconds(0));
  // It already is the time for which the credentials are valid.
  if (connection.ends_with_token && (keepalive.count() == 0 || keepalive >= connection.keepalive)) return;
  connection.keepalive = keepalive;
  connection.ends_with_token = false;
}

std::vector<std::string> checked_listeners(std::vector<std::string> names) {
  std::size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size();
  if (bytes > hub::kMaxListenerBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                "more than " + std::to_string(hub::kMaxListenerBytes) + " bytes of listeners in one request");
  }
  if (names.size() > hub::kMaxListeners) {
    throw Error(ErrorCode::kInvalidArgument,
                "more than " + std::to_string(hub::kMaxListeners) + " listeners in one request");
  }
  for (const std::string& name : names) {
    if (name.size() > kMaxListenerNameBytes || !is_valid_utf8(name) ||
        name.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      throw Error(ErrorCode::kInvalidArgument,
                  "the listener '" + printable(name, 60) + "' is not an event name: at most " +
                      std::to_string(kMaxListenerNameBytes) + " bytes of UTF-8 without line breaks and NUL");
    }
  }
  return names;
}

std::string checked_name(std::string name, const char* what, std::size_t max_bytes) {
  if (name.size() > max_bytes || !is_valid_utf8(name)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("the ") + what + " must be at most " + std::to_string(max_bytes) + " bytes of UTF-8");
  }
  return name;
}

std::vector<ChannelName> checked_channels(const std::vector<std::string>& names) {
  std::vector<ChannelName> channels;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kMaxChannelBytes || printable(name, kMaxChannelBytes) != name) {
      throw Error(ErrorCode::kInvalidArgument, "'" + printable(name, 60) +
                                                   "' cannot be one of several channels: a name has 1 to " +
                                                   std::to_string(kMaxChannelBytes) + " bytes of printable UTF-8");
    }
    if (std::ranges::find(channels, name, &ChannelName::str) != channels.end()) continue;
    if (channels.size() == hub::kMaxChannels) {
      throw Error(ErrorCode::kInvalidArgument,
                  "a stream can be in at most " + std::to_string(hub::kMaxChannels) + " channels; name fewer");
    }
    channels.emplace_back(name);
  }
  return channels;
}

void check_stored_sizes(const hub::NewConnection& new_connection) {
  const hub::Attributes& attributes = new_connection.attributes;
  checked_name(form_value(attributes.query, "clientId"), "clientId", kMaxClientId);
  for (const std::string* text : {&attributes.host, &attributes.origin}) {
    if (text->size() > net::kMaxHost)
      throw Error(ErrorCode::kInvalidArgument,
                  "the Host and Origin headers must be at most " + std::to_string(net::kMaxHost) + " bytes");
  }
  if (attributes.profile.size() > auth::kMaxProfileBytes)
    throw Error(ErrorCode::kTooLarge, "the profile of the user is larger than " +
                                          std::to_string(auth::kMaxProfileBytes) +
                                          " bytes (it comes from the authentication)");
}

hub::NewConnection read_connection(const httplib::Request& req, auth::User user, const ConnectContext& context) {
  hub::NewConnection connection;
  connection.identity = std::move(user.identity);
  checked_name(connection.identity.user.str(), "user id");
  checked_name(connection.identity.tenant.str(), "tenant id");
  checked_name(connection.identity.token.str(), "access token");
  std::string& query = connection.attributes.query;
  query = query_of(req.target);
  if (req.method == "POST") add_body_parameters(req, query);
  query = without_tickets(query);
  connection.presence = checked_channels(values_of(query, kPresence));
  for (ChannelName& channel : channels_in(query, connection.presence))
    connection.channels.push_back({std::move(channel)});
  connection.listeners = checked_listeners(split_list(form_value(query, "listeners")));
  connection.keepalive = context.keepalive ? *context.keepalive : client_keepalive(form_value(query, "keepaliveTime"));
  connection.confirms = form_value(query, "ack") == "1";
  connection.marks = form_value(query, "ackMarks") == "1";
  connection.channel_marks = form_value(query, "channelMarks") == "1";
  connection.pings = form_value(query, "ping") == "1";
  connection.ends = form_value(query, "ends") == "1";
  // The browser's header is newer than the parameter, which the page wrote when it created the EventSource.
  connection.last_event_id =
      req.has_header("Last-Event-ID") ? req.get_header_value("Last-Event-ID") : form_value(query, "lastEventId");
  // Windows that share a stream resume after what one of them has, and confirm what any of them has handled.
  const bool confirms_by_cursor = form_value(query, "ackBy") != "id";
  connection.last_event = confirms_by_cursor ? parse_id(connection.last_event_id).value_or(0) : 0;
  connection.attributes.address = context.address;
  connection.attributes.user_agent = req.get_header_value("User-Agent").substr(0, kMaxUserAgent);
  connection.attributes.host = req.get_header_value("Host");
  connection.attributes.origin = req.get_header_value("Origin");
  connection.attributes.profile = std::move(user.profile);
  check_stored_sizes(connection);
  if (user.expires) end_with_credentials(connection, *user.expires, context.now);
  return connection;
}

}  // namespace sse::pages
