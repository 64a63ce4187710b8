#include "gateway/closed_routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "api/types.h"
#include "base/text.h"
#include "event/json.h"
#include "hub/closed_log.h"

namespace sse::gateway {
namespace {

using event::Json;

constexpr std::array<std::string_view, 5> kParameters{"service", "user", "reason", "pageNum", "pageSize"};

std::uint64_t whole_number(const httplib::Request& req, const char* name, std::uint64_t fallback, std::uint64_t most) {
  if (!req.has_param(name)) return fallback;
  const std::string text = req.get_param_value(name);
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value == 0 || value > most) {
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + " '" + printable(text, 40) +
                                                 "' must be a whole number from 1 to " + std::to_string(most));
  }
  return value;
}

Json to_json(const hub::ClosedConnection& closed, const ServiceName& service) {
  return {{"id", closed.id.str()},
          {"service", service.str()},
          {"accessUserId", closed.user.str()},
          {"accessTenantId", closed.tenant.str()},
          {"channel", closed.channel.str()},
          {"requestIp", closed.address},
          {"reason", net::reason_name(closed.reason)},
          {"createTime", to_millis(closed.created)},
          {"closeTime", to_millis(closed.closed)},
          {"messageCount", closed.messages},
          {"bytesSent", closed.bytes_sent},
          {"owedBytes", closed.owed_bytes}};
}

void list_closed(const std::vector<Service>& services, const httplib::Request& req, httplib::Response& res) {
  for (const auto& [name, value] : req.params) {
    if (std::ranges::find(kParameters, name) == kParameters.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown parameter '" + printable(name, 60) + "'; see /api/openapi.json");
    }
  }
  const std::uint64_t number = whole_number(req, "pageNum", 1, 1'000'000'000'000);
  const std::uint64_t size = whole_number(req, "pageSize", 100, api::kMostPageSize);
  const std::string service = req.get_param_value("service");
  const std::string user = req.get_param_value("user");
  const std::string reason = req.get_param_value("reason");
  if (!reason.empty() && !net::reason_from_name(reason)) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(reason, 40) + "' is no reason to close a stream; 'slow-consumer' is one");
  }
  std::vector<std::pair<hub::ClosedConnection, ServiceName>> found;
  bool known = service.empty();
  for (const Service& one : services) {
    const ServiceName& name = one.sender->service();
    if (!service.empty() && name.str() != service) continue;
    known = true;
    for (hub::ClosedConnection& closed : one.sender->hub().recently_closed()) {
      if (!user.empty() && closed.user.str() != user) continue;
      if (!reason.empty() && net::reason_name(closed.reason) != reason) continue;
      found.emplace_back(std::move(closed), name);
    }
  }
  if (!known) throw Error(ErrorCode::kNotFound, "no service '" + printable(service, 60) + "' is hosted here");
  std::ranges::stable_sort(found, std::greater<>(), [](const auto& entry) { return entry.first.closed; });
  Json list = Json::array();
  const std::uint64_t first = std::min<std::uint64_t>((number - 1) * size, found.size());
  for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + size, found.size()); ++i)
    list.push_back(to_json(found[i].first, found[i].second));
  res.set_content(
      event::dump_json({{"total", found.size()}, {"pageNum", number}, {"pageSize", size}, {"list", std::move(list)}}),
      "application/json");
}

}  // namespace

void add_closed_routes(Router& router, const std::vector<Service>& services) {
  router.get("\\/api\\/v1\\/connections\\/closed",
             [&services](const httplib::Request& req, httplib::Response& res) { list_closed(services, req, res); });
}

}  // namespace sse::gateway
