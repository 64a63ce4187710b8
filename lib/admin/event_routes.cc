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
  constexpr std::string_view kKnown[] = {"service", "user", "type", "last", "follow", "since"};
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

// Browsers that reconnect, and others that resume an event stream, send the header.
std::string cursor_of(const httplib::Request& req) {
  return req.has_param("since") ? req.get_param_value("since") : req.get_header_value("Last-Event-ID");
}

bool follows(const httplib::Request& req) {
  const std::string text = req.has_param("follow") ? req.get_param_value("follow") : "false";
  if (text != "true" && text != "false")
    throw Error(ErrorCode::kInvalidArgument, "follow '" + printable(text, 40) + "' must be true or false");
  return text == "true";
}

void follow(const httplib::Request& req, httplib::Response& res, ActivityFilter filter,
            const application::ActivityLog& activity_log, EventFeed& feed) {
  EventFeed::Request request{std::move(filter), last_of(req, 0), cursor_of(req), EventFeed::Format::kLines};
  // Throws for a text that is no cursor while there can still be an answer.
  if (!request.cursor.empty()) activity_log.since(request.cursor, {});
  const bool stream = req.get_header_value("Accept").find("text/event-stream") != std::string::npos;
  if (stream) request.format = EventFeed::Format::kEventStream;
  res.set_header("Cache-Control", "no-store");
  // For a client that loses the connection before its first event.
  res.set_header("X-Sse-Cursor",
                 request.cursor.empty() ? activity_log.cursor_of(activity_log.sequence()) : request.cursor);
  net::HttplibApp::hand_over(req, res, stream ? "text/event-stream;charset=UTF-8" : "application/x-ndjson",
                             [&feed, request = std::move(request)](net::HandedOverConnection connection) {
                               feed.follow(std::move(connection.socket), std::move(connection.head), request);
                             });
}

// With a cursor the first of the later events, without one the last ones of all.
Json list_of(const httplib::Request& req, const ActivityFilter& filter, const application::ActivityLog& activity_log) {
  const std::string cursor = cursor_of(req);
  const std::size_t limit = last_of(req, cursor.empty() ? 100 : kMaxLast);
  Json list = Json::array();
  std::vector<application::ActivityEventRef> all;
  if (cursor.empty()) {
    all = activity_log.last();
  } else {
    application::ActivityLog::Resumed resumed = activity_log.since(cursor, filter.types);
    all = std::move(resumed.events);
    const std::uint64_t before = all.empty() ? activity_log.sequence() : all.front()->sequence - 1;
    if (resumed.gap) list.push_back(gap_json(resumed, filter.matches_all(), activity_log.cursor_of(before)));
  }
  std::erase_if(all, [&](const application::ActivityEventRef& one) { return !filter.matches(*one); });
  const std::size_t count = std::min(limit, all.size());
  const auto begin = cursor.empty() ? all.end() - static_cast<std::ptrdiff_t>(count) : all.begin();
  for (auto it = begin; it != begin + static_cast<std::ptrdiff_t>(count); ++it) {
    list.push_back(application::to_json(**it));
    list.back()["cursor"] = activity_log.cursor_of((*it)->sequence);
  }
  return {{"list", std::move(list)}};
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
      follow(req, res, std::move(filter), activity_log, feed);
      return;
    }
    res.set_content(event::dump_json(list_of(req, filter, activity_log)), "application/json");
  });
}

}  // namespace sse::admin
