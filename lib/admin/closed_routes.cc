#include "admin/closed_routes.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "admin/admin_http.h"
#include "application/connection_json.h"
#include "base/text.h"
#include "event/json.h"
#include "hub/closed_stream_log.h"

namespace sse::admin {
namespace {

using event::Json;

Json to_json(const hub::ClosedConnection& closed, const ServiceName& service) {
  return {{"id", closed.id.str()},
          {"service", service.str()},
          {"accessUserId", closed.user.str()},
          {"accessTenantId", closed.tenant.str()},
          {"channel", closed.channels.empty() ? "" : closed.channels.front().str()},
          {"channels", application::channels_json(closed.channels)},
          {"requestIp", closed.address},
          {"reason", net::reason_name(closed.reason)},
          {"createTime", to_millis(closed.created)},
          {"closeTime", to_millis(closed.closed)},
          {"messageCount", closed.messages},
          {"bytesSent", closed.bytes_sent},
          {"owedBytes", closed.backlog_bytes}};
}

void list_closed(const std::vector<application::Service>& services, const httplib::Request& req,
                 httplib::Response& res) {
  require_parameters(req, {"service", "user", "reason", "pageNum", "pageSize"});
  const auto page = Page::of(req);
  const std::string service = req.get_param_value("service");
  const std::string user = req.get_param_value("user");
  const std::string reason = req.get_param_value("reason");
  if (!reason.empty() && !net::reason_from_name(reason)) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(reason, 40) + "' is not a close reason; an example is 'slow-consumer'");
  }
  if (!service.empty()) find_service(services, service);
  std::vector<std::pair<hub::ClosedConnection, ServiceName>> found;
  for (const application::Service& one : services) {
    const ServiceName& name = one.sender->service();
    if (!service.empty() && name.str() != service) continue;
    for (hub::ClosedConnection& closed : one.sender->hub().directory().recently_closed()) {
      if (!user.empty() && closed.user.str() != user) continue;
      if (!reason.empty() && net::reason_name(closed.reason) != reason) continue;
      found.emplace_back(std::move(closed), name);
    }
  }
  std::ranges::stable_sort(found, std::greater<>(), [](const auto& entry) { return entry.first.closed; });
  Json list = Json::array();
  for (const auto& [closed, name] : page.cut(found)) list.push_back(to_json(closed, name));
  write_json(res, page.json(found.size(), std::move(list)));
}

}  // namespace

void add_closed_routes(net::Router& router, const std::vector<application::Service>& services) {
  router.get("/api/v1/connections/closed",
             [&services](const httplib::Request& req, httplib::Response& res) { list_closed(services, req, res); });
}

}  // namespace sse::admin
