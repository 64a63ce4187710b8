#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

// The most important fields first; fields that a newer server adds follow at the end.
constexpr std::array<std::string_view, 28> kOrder{"id",
                                                  "service",
                                                  "serverId",
                                                  "createTime",
                                                  "timeout",
                                                  "accessUserId",
                                                  "accessTenantId",
                                                  "accessUser",
                                                  "accessToken",
                                                  "channel",
                                                  "channels",
                                                  "listeners",
                                                  "messageCount",
                                                  "bytesSent",
                                                  "backlogBytes",
                                                  "oldestUnsentMillis",
                                                  "lastWriteMillis",
                                                  "droppedCount",
                                                  "requestMessageCount",
                                                  "requestUploadCount",
                                                  "lastRequestTime",
                                                  "requestIp",
                                                  "requestDomain",
                                                  "userAgent",
                                                  "locationHref",
                                                  "clientId",
                                                  "clientVersion",
                                                  "sessionDuration"};

std::string value_of(const api::Json& connection, const std::string& name) {
  if (name == "createTime" || name == "lastRequestTime" || name == "lastWriteTime" || name == "accessTime") {
    return time_ago_cell(connection, name, wall_now());
  }
  if (name == "sessionDuration") return seconds_cell(connection, name);
  if (name == "bytesSent" || name == "backlogBytes") return size_cell(connection, name);
  return text_cell(connection, name);
}

std::string describe(const api::Json& connection, const TableStyle& style) {
  std::vector<Field> fields;
  fields.reserve(connection.size() + kOrder.size());
  for (const std::string_view name : kOrder)
    fields.push_back({std::string(name), value_of(connection, std::string(name))});
  std::vector<Field> sent;
  for (const auto& [name, value] : connection.items()) {
    if (name == "httpParameters" && value.is_object()) {
      for (const auto& [parameter, given] : value.items()) sent.push_back({parameter, text_cell(value, parameter)});
    } else if (std::find(kOrder.begin(), kOrder.end(), name) == kOrder.end()) {
      fields.push_back({name, value_of(connection, name)});
    }
  }
  const std::string text = render_fields(fields, style);
  return sent.empty() ? text : text + "\nParameters the client sent\n" + render_fields(sent, style);
}

int run(const std::string& id, Context& context) {
  context.out().result(context.client().show_connection(id_from<ConnectionId>(id), context.service()), describe);
  return kDone;
}

}  // namespace

Run declare_connections_show(cli::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "Id of the connection").required().type_name("");
  return [id](Context& context) { return run(*id, context); };
}

}  // namespace sse::ctl
