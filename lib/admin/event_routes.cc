#include "admin/event_routes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::admin {
namespace {

using event::Json;

constexpr std::size_t kMaxLast = 1000;

void require_known(const httplib::Request& req) {
  constexpr std::string_view kKnown[] = {"service", "user", "type", "last", "follow"};
  for (const auto& [name, value] : req.params) {
    if (std::ranges::find(kKnown, name) == std::end(kKnown)) {
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown parameter '" + printable(name, 60) + "'; see /api/openapi.json");
    }
  }
}

ActivityFilter filter_of(const httplib::Request& req, const std::vector<application::Service>& services) {
  ActivityFilter filter;
  filter.user = UserId(req.get_param_value("user"));
  filter.service = ServiceName(req.get_param_value("service"));
  if (!filter.service.empty() && std::ranges::none_of(services, [&](const application::Service& service) {
        return service.sender->service() == filter.service;
      })) {
    throw Error(ErrorCode::kNotFound, "no service '" + printable(filter.service.str(), 60) + "' is hosted here");
  }
  for (const std::string& name : split_list(req.get_param_value("type")))
    filter.types.insert(application::type_from_name(name));
  return filter;
}

std::size_t last_of(const httplib::Request& req, std::size_t fallback) {
  if (!req.has_param("last")) return fallback;
  const std::string text = req.get_param_value("last");
  std::size_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value > kMaxLast) {
    throw Error(ErrorCode::kInvalidArgument,
                "last '" + printable(text, 40) + "' must be a whole number from 0 to " + std::to_string(kMaxLast));
  }
  return value;
}

bool follows(const httplib::Request& req) {
  const std::string text = req.has_param("follow") ? req.get_param_value("follow") : "false";
  if (text != "true" && text != "false")
    throw Error(ErrorCode::kInvalidArgument, "follow '" + printable(text, 40) + "' must be true or false");
  return text == "true";
}

}  // namespace

void add_event_routes(net::Router& router, const std::vector<application::Service>& services,
                      const application::ActivityLog& activity_log, EventFeed& feed) {
  router.get("/api/v1/events", [&](const httplib::Request& req, httplib::Response& res) {
    require_known(req);
    ActivityFilter filter = filter_of(req, services);
    if (follows(req)) {
      if (feed.followers() >= EventFeed::kMaxFollowers)
        throw Error(ErrorCode::kLimitExceeded, "too many followers of events; end some first");
      const std::size_t last = last_of(req, 0);
      res.set_header("Cache-Control", "no-store");
      net::HttplibApp::hand_over(req, res, "application/x-ndjson",
                                 [&feed, filter = std::move(filter), last](net::HandedOverConnection connection) {
                                   feed.follow(std::move(connection.socket), std::move(connection.head), filter, last);
                                 });
      return;
    }
    std::vector<application::ActivityEventRef> all = activity_log.last();
    std::erase_if(all, [&](const application::ActivityEventRef& h) { return !filter.matches(*h); });
    const std::size_t count = std::min(last_of(req, 100), all.size());
    Json list = Json::array();
    for (auto it = all.end() - static_cast<std::ptrdiff_t>(count); it != all.end(); ++it)
      list.push_back(application::to_json(**it));
    res.set_content(event::dump_json({{"list", std::move(list)}}), "application/json");
  });
}

}  // namespace sse::admin
