#include "pages/query_pages.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "api/types.h"
#include "application/connection_json.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "hub/connection_scan.h"

namespace sse::pages {
namespace {

using event::Json;
using event::TargetKind;

constexpr std::size_t kMaxEvents = 100;
constexpr std::int64_t kMaxTimeMillis = 253'402'300'799'999;  // the end of the year 9999

// The fields of a connection, in the order of PROTOCOL.md.
constexpr std::array kConnectionFields{"id",
                                       "createTime",
                                       "timeout",
                                       "accessTime",
                                       "messageCount",
                                       "channel",
                                       "channels",
                                       "sessionDuration",
                                       "lastRequestTime",
                                       "requestMessageCount",
                                       "requestUploadCount",
                                       "listeners",
                                       "locationHref",
                                       "accessUserId",
                                       "accessTenantId",
                                       "accessToken",
                                       "accessUser",
                                       "clientId",
                                       "clientVersion",
                                       "clientImportModuleTime",
                                       "clientInstanceId",
                                       "clientInstanceTime",
                                       "serverId",
                                       "requestIp",
                                       "requestDomain",
                                       "userAgent",
                                       "httpParameters",
                                       "screen",
                                       "totalJSHeapSize",
                                       "usedJSHeapSize",
                                       "jsHeapSizeLimit",
                                       "expireTime"};

// A whole number, possibly negative; numbers out of range are clamped.
std::int64_t number_parameter(const httplib::Request& req, const char* name, std::int64_t fallback) {
  const std::string text = req.get_param_value(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (stop != text.data() + text.size() || (error != std::errc{} && error != std::errc::result_out_of_range)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(name) + " '" + printable(text, 40) + "' is not a whole number");
  }
  if (error == std::errc{}) return value;
  return text.front() == '-' ? INT64_MIN : INT64_MAX;
}

// Paging as in the Java library: values out of range are clamped.
struct QueryPage {
  std::uint64_t number;
  std::uint64_t size;

  explicit QueryPage(const httplib::Request& req)
      : number(static_cast<std::uint64_t>(std::max<std::int64_t>(number_parameter(req, "pageNum", 1), 1))),
        size(std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(number_parameter(req, "pageSize", 100), 0)),
                      api::kMaxPageSize)) {
    if (number_parameter(req, "timeout", 5000) < 0)
      throw Error(ErrorCode::kInvalidArgument, "timeout must be a number of milliseconds from 0");
  }

  // Index of the first row of the page, at most `total`.
  std::uint64_t begin(std::uint64_t total) const {
    if (size == 0 || number - 1 > total / size) return total;
    return std::min((number - 1) * size, total);
  }
  template <class T>
  std::vector<T> cut(const std::vector<T>& all) const {
    const std::uint64_t first = begin(all.size());
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(first);
    return {from, from + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(size, all.size() - first))};
  }
  Json json(std::uint64_t total, Json list) const {
    return {{"total", total}, {"pageNum", number}, {"pageSize", size}, {"list", std::move(list)}, {"timeout", false}};
  }
};

std::string trimmed(const std::string& text) {
  const std::vector<std::string> lines = split_list(text, '\n');
  return lines.empty() ? "" : lines.front();
}

// Selects the connections to list, or whose users to list.
hub::ConnectionFilter connection_filter(const httplib::Request& req) {
  hub::ConnectionFilter filter;
  filter.name = trimmed(req.get_param_value("name"));
  filter.client = req.get_param_value("clientId");
  filter.tenant = TenantId(req.get_param_value("tenantId"));
  filter.channel = ChannelName(req.get_param_value("channel"));
  filter.token = AccessToken(req.get_param_value("accessToken"));
  filter.user = UserId(req.get_param_value("userId"));
  filter.listening = req.get_param_value("listeners");
  return filter;
}

// Asks once about each channel of a page.
class ReadableChannels {
 public:
  explicit ReadableChannels(const QueryRequester& requester) : requester_(requester) {}

  bool operator()(const std::string& channel) {
    if (channel.empty()) return true;
    const auto [known, is_new] = known_.try_emplace(channel, false);
    if (is_new) known->second = requester_.may_read(channel);
    return known->second;
  }

 private:
  const QueryRequester& requester_;
  std::map<std::string, bool> known_;
};

Json users(hub::Hub& hub, const httplib::Request& req, const QueryPage& page) {
  hub::ConnectionFilter filter = connection_filter(req);
  filter.user = {};  // with --auth demo this parameter identifies the requester
  const std::vector<hub::NameCount> all = hub::count_names(hub.directory(), TargetKind::kUser, filter);
  std::vector<ConnectionId> newest;
  for (const hub::NameCount& user : page.cut(all)) newest.push_back(user.ids.back());
  Json list = Json::array();
  for (const hub::ConnectionInfo& info : hub.directory().describe(newest)) {
    Json user = event::parse_json_or_null(info.attributes.profile);
    if (!user.is_object()) user = Json::object();
    if (!user.contains("id")) user["id"] = info.identity.user.str();
    list.push_back(std::move(user));
  }
  return page.json(all.size(), std::move(list));
}

// The fields of a connection as the Java library writes them: times in ISO 8601, and null for what is not known.
Json java_row(Json& whole) {
  Json fields = Json::object();
  for (const char* name : kConnectionFields) {
    Json& value = fields[name] = std::move(whole[name]);
    if (value.is_string() && value.text().empty()) value = nullptr;
  }
  for (const char* name : {"createTime", "accessTime", "lastRequestTime", "expireTime"}) {
    Json& value = fields[name];
    if (!value.is_number_integer()) continue;
    const auto millis = value.get<std::int64_t>();
    // A page may send any number as its accessTime.
    if (millis < 0 || millis > kMaxTimeMillis) {
      value = nullptr;
    } else {
      std::string time = format_time(WallTime(std::chrono::milliseconds(millis)));
      value = time.replace(time.size() - 1, 1, "+00:00");
    }
  }
  return fields;
}

Json connections(const application::Service& service, const std::string& server_id, const httplib::Request& req,
                 const QueryPage& page, const QueryRequester& requester) {
  hub::Hub& hub = service.sender->hub();
  std::vector<ConnectionId> all;
  if (const std::string id = req.get_param_value("id"); !id.empty()) {
    const auto parsed = parse_id(id);
    if (!parsed) throw Error(ErrorCode::kInvalidArgument, "id '" + printable(id, 40) + "' is not a connection id");
    if (hub.directory().describe(ConnectionId(*parsed))) all.emplace_back(*parsed);
  } else {
    all = hub::find(hub.directory(), connection_filter(req), hub::ConnectionOrder::kUser);
  }
  ReadableChannels may_read(requester);
  Json list = Json::array();
  for (const hub::ConnectionInfo& info : hub.directory().describe(page.cut(all))) {
    Json whole = application::to_json(info, service.sender->service(), server_id);
    if (!hub::owns(requester.identity, info.identity)) {
      application::mask_client_id(whole);
      std::vector<ChannelName> readable;
      std::ranges::copy_if(info.channels, std::back_inserter(readable),
                           [&](const ChannelName& channel) { return may_read(channel.str()); });
      whole["channel"] = readable.empty() ? "" : readable.front().str();
      whole["channels"] = application::channels_json(readable);
      // What the page of that stream asked for, which need not be what it got.
      whole["httpParameters"].erase("channel");
    }
    if (info.keepalive.count() > 0) whole["expireTime"] = to_millis(info.created + info.keepalive);
    list.push_back(java_row(whole));
  }
  return page.json(all.size(), std::move(list));
}

Json message_json(const store::PendingMessage& message) {
  Json json = application::to_json(message, false);
  const Json recipient = json["recipient"];
  const auto list_for = [&](TargetKind kind) {
    return message.recipient.kind == kind ? Json::array({recipient}) : Json::array();
  };
  json["eventName"] = message.event;
  json["listenerName"] = message.listening ? Json(message.event) : Json(nullptr);
  const bool member = message.recipient.kind == TargetKind::kMember;
  json["userIdList"] = list_for(member ? TargetKind::kMember : TargetKind::kUser);
  json["tenantIdList"] = member ? Json::array({json["tenant"]}) : list_for(TargetKind::kTenant);
  json["accessTokenList"] = list_for(TargetKind::kToken);
  json["channelList"] = list_for(TargetKind::kChannel);
  return json;
}

// The pending messages of all given recipients, or of the service if none is given; with listeners only these events.
std::vector<store::MessageFilter> message_filters(const ServiceName& service, const httplib::Request& req) {
  std::vector<store::MessageFilter> filters;
  const auto add = [&](const char* name, TargetKind kind) {
    const std::string value = req.get_param_value(name);
    if (value.empty()) return;
    filters.push_back({service, kind, value, ""});
  };
  add("userId", TargetKind::kUser);
  add("tenantId", TargetKind::kTenant);
  add("accessToken", TargetKind::kToken);
  add("channel", TargetKind::kChannel);
  if (filters.empty()) filters.push_back({service, std::nullopt, "", ""});
  const std::vector<std::string> events = split_list(req.get_param_value("listeners"));
  if (events.empty()) return filters;
  if (events.size() > kMaxEvents)
    throw Error(ErrorCode::kInvalidArgument, "more than " + std::to_string(kMaxEvents) + " listeners in one query");
  std::vector<store::MessageFilter> narrowed;
  for (const store::MessageFilter& filter : filters) {
    for (const std::string& event : events) {
      narrowed.push_back(filter);
      narrowed.back().event = event;
    }
  }
  return narrowed;
}

Json messages(const ServiceName& service, store::MessageCatalog& catalog, const httplib::Request& req,
              const QueryPage& page, const QueryRequester& requester) {
  const std::vector<store::MessageFilter> filters = message_filters(service, req);
  std::vector<std::uint64_t> counts;
  std::uint64_t total = 0;
  for (const store::MessageFilter& filter : filters) {
    counts.push_back(catalog.count(filter));
    total += counts.back();
  }
  ReadableChannels may_read(requester);
  Json list = Json::array();
  // The page is a window of the concatenated lists.
  std::uint64_t skip = page.begin(total);
  for (std::size_t i = 0; i < filters.size() && list.size() < page.size; ++i) {
    if (skip >= counts[i]) {
      skip -= counts[i];
      continue;
    }
    for (const store::PendingMessage& message : catalog.list(filters[i], skip, page.size - list.size())) {
      list.push_back(message_json(message));
      if (message.recipient.kind == TargetKind::kChannel && !may_read(message.recipient.name)) {
        list.back()["recipient"] = "";
        list.back()["channelList"] = Json::array();
      }
    }
    skip = 0;
  }
  return page.json(total, std::move(list));
}

}  // namespace

Json query_page(const application::Service& service, store::MessageCatalog& catalog, const std::string& server_id,
                const std::string& what, const httplib::Request& req, const QueryRequester& requester) {
  const QueryPage page(req);
  if (const std::string channel = req.get_param_value("channel"); !channel.empty() && !requester.may_read(channel)) {
    throw Error(ErrorCode::kPermissionDenied,
                "the channel '" + printable(channel, 60) + "' is not open to this user (--channel-rule)");
  }
  if (what == "users") return users(service.sender->hub(), req, page);
  if (what == "connections") return connections(service, server_id, req, page, requester);
  return messages(service.sender->service(), catalog, req, page, requester);
}

}  // namespace sse::pages
