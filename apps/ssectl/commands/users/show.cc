#include <memory>
#include <string>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

std::string describe(const api::Json& user, const TableStyle& style) {
  const WallTime now = wall_now();
  std::string text = render_fields({{"id", text_cell(user, "id")},
                                    {"name", text_cell(user, "name")},
                                    {"service", text_cell(user, "service")},
                                    {"user", text_cell(user, "user")},
                                    {"connections", text_cell(user, "connections")},
                                    {"tenants", text_cell(user, "tenants")},
                                    {"channels", text_cell(user, "channels")},
                                    {"tokens", text_cell(user, "tokens")},
                                    {"first connect", time_ago_cell(user, "firstConnectTime", now)},
                                    {"last connect", time_ago_cell(user, "lastConnectTime", now)},
                                    {"last request", time_ago_cell(user, "lastRequestTime", now)},
                                    {"session duration", seconds_cell(user, "sessionDuration")}},
                                   style);
  Table table({{"CONNECTION"},
               shrinking("TENANT"),
               shrinking("CHANNEL"),
               shrinking("IP"),
               {"AGE"},
               {"SESSION"},
               right_aligned("EVENTS"),
               right_aligned("BACKLOG"),
               shrinking("LISTENS TO")});
  if (const auto list = user.find("connectionList"); list != user.end() && list->is_array()) {
    for (const api::Json& one : *list) {
      table.add({text_cell(one, "id"), text_cell(one, "accessTenantId"), channels_cell(one),
                 text_cell(one, "requestIp"), age_cell(one, "createTime", now), seconds_cell(one, "sessionDuration"),
                 text_cell(one, "messageCount"), size_cell(one, "backlogBytes"), text_cell(one, "listeners")});
    }
  }
  return table.empty() ? text : text + '\n' + table.render(style);
}

int show(const std::string& user, Context& context) {
  context.out().result(context.client().show_user(UserId(user), context.service()), describe);
  return kDone;
}

int online(const std::string& user, Context& context) {
  api::ConnectionQuery query;
  query.service = context.service();
  query.user = user;
  const std::uint64_t connections = count_in(context.client().list_connections(query, {1, 1}), "total");
  context.out().result({{"user", user}, {"online", connections > 0}, {"connections", connections}},
                       connections > 0 ? "online, " + plural(connections, "connection") : "offline");
  return connections > 0 ? kDone : kNoRecipient;
}

Run declare_with_user(cli::App& app, int (*run)(const std::string&, Context&)) {
  auto user = std::make_shared<std::string>();
  // An empty filter would match all users.
  app.add_option("USER", *user, "Id of the user").required().type_name("").not_empty();
  return [user, run](Context& context) { return run(*user, context); };
}

}  // namespace

Run declare_users_show(cli::App& app) {
  return declare_with_user(app, show);
}

Run declare_users_online(cli::App& app) {
  return declare_with_user(app, online);
}

}  // namespace sse::ctl
