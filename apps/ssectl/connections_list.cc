#include <memory>
#include <string>

#include "base/clock.h"
#include "cells.h"
#include "command.h"
#include "paging.h"
#include "table.h"
#include "watch.h"

namespace sse::ctl {
namespace {

struct Options {
  api::ConnectionQuery query;
  PageOptions page;
  Watch watch;
};

std::string table_of(const api::Json& page, const Look& look) {
  Table table({{"ID"},
               {"USER", false, true},
               {"TENANT", false, true},
               {"CHANNEL", false, true},
               {"IP", false, true},
               {"AGE"},
               {"EVENTS", true},
               {"OWED", true},
               {"LISTENS TO", false, true}});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "accessUserId"), text_cell(one, "accessTenantId"),
               text_cell(one, "channel"), text_cell(one, "requestIp"), age_cell(one, "createTime", now),
               text_cell(one, "messageCount"), size_cell(one, "backlogBytes"), text_cell(one, "listeners")});
  }
  return table.render(look);
}

int run(const Options& options, Context& context) {
  api::ConnectionQuery query = options.query;
  query.service = context.service();
  Output& out = context.out();
  const api::Json page = fetch(
      options.page, [&](const api::Page& p) { return context.client().list_connections(query, p); }, out);
  if (!out.for_people()) {
    out.listing(page);
  } else if (page.at("list").empty()) {
    out.note("no connection is open that matches");
  } else {
    out.write(table_of(page, out.look()));
  }
  return kDone;
}

}  // namespace

Run declare_connections_list(CLI::App& app) {
  auto options = std::make_shared<Options>();
  const auto filter = [&](const char* name, std::string& value, const char* type, const char* help) {
    app.add_option(name, value, help)->type_name(type);
  };
  filter("-u,--user", options->query.user, "USER", "Only of this user");
  filter("--tenant", options->query.tenant, "TENANT", "Only of this tenant");
  filter("--token", options->query.token, "TOKEN", "Only with this access token");
  filter("--channel", options->query.channel, "CHANNEL", "Only in this channel");
  filter("--listening", options->query.listening, "EVENT", "Only those that listen to this event");
  filter("--client", options->query.client, "CLIENT", "Only of this clientId");
  app.add_option("--sort", options->query.sort, "Largest backlog or events a second first, or by age (default)")
      ->type_name("age|backlog|rate")
      ->check(CLI::IsMember({"age", "backlog", "rate"}).description(""));
  options->page.declare(app);
  options->watch.declare(app);
  return [options](Context& context) { return options->watch.run(context, [&] { return run(*options, context); }); };
}

}  // namespace sse::ctl
