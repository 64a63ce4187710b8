#include "admin/message_parameters.h"

#include <algorithm>
#include <string>

#include "admin/admin_http.h"
#include "base/error.h"
#include "base/text.h"
#include "event/target.h"

namespace sse::admin {

store::MessageFilter message_filter(const httplib::Request& req, const std::vector<application::Service>& services,
                                    std::initializer_list<std::string_view> also) {
  for (const auto& [name, value] : req.params) {
    if (name == "service" || name == "kind" || name == "recipient" || name == "tenant" || name == "event") continue;
    if (std::ranges::find(also, name) == also.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown parameter '" + printable(name, 60) + "'; see /api/openapi.json");
    }
  }
  store::MessageFilter filter;
  if (req.has_param("service"))
    filter.service = find_service(services, req.get_param_value("service")).sender->service();
  if (req.has_param("kind")) filter.kind = event::kind_from_name(req.get_param_value("kind"));
  filter.recipient = req.get_param_value("recipient");
  if (const std::string tenant = req.get_param_value("tenant"); !tenant.empty()) {
    if (!filter.kind || filter.recipient.empty())
      throw Error(ErrorCode::kInvalidArgument, "tenant needs kind=user and recipient: a user of that tenant");
    const event::ApiName member = event::to_target_name(*filter.kind, filter.recipient, tenant);
    filter.kind = member.kind;
    filter.recipient = member.name;
  }
  filter.event = req.get_param_value("event");
  return filter;
}

MessageId id_parameter(const httplib::Request& req, const char* name) {
  if (!req.has_param(name)) return {};
  const auto id = parse_id(req.get_param_value(name));
  if (!id) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(req.get_param_value(name), 40) + "' is not an id; ids are decimal numbers");
  }
  return MessageId(*id);
}

}  // namespace sse::admin
