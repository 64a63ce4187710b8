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
  const auto ago = [&](const char* name) {
    const std::string age = age_cell(user, name, now);
    return age.empty() ? "" : time_cell(user, name) + " (" + age + " ago)";
  };
  std::string text = render_fields({{"id", text_cell(user, "id")},
                                    {"name", text_cell(user, "name")},
                                    {"service", text_cell(user, "service")},
                                    {"user", text_cell(user, "user")},
                                    {"connections", text_cell(user, "connections")},
                                    {"tenants", text_cell(user, "tenants")},
                                    {"channels", text_cell(user, "channels")},
                                    {"tokens", text_cell(user, "tokens")},
                                    {"first connect", ago("firstConnectTime")},
                                    {"last connect", ago("lastConnectTime")},
                                    {"last request", ago("lastRequestTime")},
                                    {"session duration", seconds_cell(user, "sessionDuration")}},
                                   style);
  Table table({{"CONNECTION"},
               {"TENANT", false, true},
               {"CHANNEL", false, true},
               {"IP", false, true},
               {"AGE"},
               {"SESSION"},
               {"EVENTS", true},
               {"BACKLOG", true},
               {"LISTENS TO", false, true}});
  if (const auto list = user.find("connectionList"); list != user.end() && list->is_array()) {
    for (const api::Json& one : *list) {
      table.add({text_cell(one, "id"), text_cell(one, "accessTenantId"), text_cell(one, "channel"),
                 text_cell(one, "requestIp"), age_cell(one, "createTime", now), seconds_cell(one, "sessionDuration"),
                 text_cell(one, "messageCount"), size_cell(one, "backlogBytes"), text_cell(one, "listeners")});
    }
  }
  return table.empty() ? text : text + '\n' + table.render(style);
}

int show(const std::string& user, Context& context) {
  const api::Json answer = context.client().show_user(UserId(user), context.service());
  Output& out = context.out();
  if (out.human_readable()) {
    out.write(describe(answer, out.style()));
  } else {
    out.document(answer);
  }
  return kDone;
}

int online(const std::string& user, Context& context) {
  api::ConnectionQuery query;
  query.service = context.service();
  query.user = user;
  const std::uint64_t connections = count_in(context.client().list_connections(query, {1, 1}), "total");
  Output& out = context.out();
  if (!out.human_readable()) {
    out.document({{"user", user}, {"online", connections > 0}, {"connections", connections}});
  } else {
    out.write(connections > 0 ? "online, " + plural(connections, "connection") + '\n' : "offline\n");
  }
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
