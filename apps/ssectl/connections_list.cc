#include <memory>
#include <string>

#include "base/clock.h"
#include "cells.h"
#include "command.h"
#include "paging.h"
#include "table.h"

namespace sse::ctl {
namespace {

struct Options {
  api::ConnectionQuery query;
  bool closed = false;
  std::string reason;
  PageOptions page;
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

std::string closed_table_of(const api::Json& page, const Look& look) {
  Table table({{"ID"},
               {"USER", false, true},
               {"IP", false, true},
               {"ENDED"},
               {"REASON"},
               {"OPENED"},
               {"EVENTS", true},
               {"SENT", true},
               {"OWED", true}});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "accessUserId"), text_cell(one, "requestIp"),
               age_cell(one, "closeTime", now) + " ago", text_cell(one, "reason"),
               age_cell(one, "createTime", now) + " ago", text_cell(one, "messageCount"), size_cell(one, "bytesSent"),
               size_cell(one, "owedBytes")});
  }
  return table.render(look);
}

int run_closed(const Options& options, Context& context) {
  const api::ClosedQuery query{context.service(), options.query.user, options.reason};
  Output& out = context.out();
  const api::Json page = fetch(
      options.page, [&](const api::Page& p) { return context.client().list_closed(query, p); }, out);
  if (!out.for_people()) {
    out.listing(page);
  } else if (page.at("list").empty()) {
    out.note("no stream that ended lately matches");
  } else {
    out.write(closed_table_of(page, out.look()));
  }
  return kDone;
}

int run(const Options& options, Context& context) {
  if (options.closed) return run_closed(options, context);
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
  CLI::Option* closed =
      app.add_flag("--closed", options->closed, "Instead: streams that have ended lately, newest first, and why");
  app.add_option("--reason", options->reason, "With --closed: only those that ended for this, such as slow-consumer")
      ->type_name("REASON")
      ->needs(closed);
  for (const char* open_only : {"--tenant", "--token", "--channel", "--listening", "--client"})
    app.get_option(open_only)->excludes(closed);
  options->page.declare(app);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
