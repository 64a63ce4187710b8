#include <memory>
#include <string>

#include "base/clock.h"
#include "cells.h"
#include "command.h"
#include "messages.h"
#include "paging.h"
#include "table.h"
#include "watch.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
  PageOptions page;
  Watch watch;
  std::string db;
};

std::string table_of(const api::Json& page, const Look& look) {
  Table table({{"ID"},
               {"KIND"},
               {"RECIPIENT", false, true},
               {"EVENT", false, true},
               {"SIZE", true},
               {"AGE"},
               {"EXPIRES"},
               {"SERVICE", false, true}});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "kind"), text_cell(one, "recipient"), text_cell(one, "event"),
               size_cell(one, "size"), age_cell(one, "createTime", now), expiry_cell(one, "expireTime", now),
               text_cell(one, "service")});
  }
  return table.render(look);
}

int run(const Options& options, Context& context) {
  api::MessageQuery query = options.query;
  query.service = context.service();
  Output& out = context.out();
  const api::Json page = fetch(
      options.page, [&](const api::Page& p) { return list_messages(context, options.db, query, p); }, out);
  if (!out.for_people()) {
    out.listing(page);
  } else if (page.at("list").empty()) {
    out.note("no message is pending that matches");
  } else {
    out.write(table_of(page, out.look()));
  }
  return kDone;
}

}  // namespace

Run declare_messages_list(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--kind", options->query.kind, "Only for a user, token, tenant, channel or all")
      ->type_name("KIND")
      ->check(CLI::IsMember({"user", "token", "tenant", "channel", "all"}).description(""));
  app.add_option("--recipient", options->query.recipient, "Only for the recipient of this name")->type_name("NAME");
  app.add_option("-e,--event", options->query.event, "Only with this event name")->type_name("NAME");
  options->page.declare(app);
  options->watch.declare(app);
  declare_db(app, options->db);
  return [options](Context& context) { return options->watch.run(context, [&] { return run(*options, context); }); };
}

}  // namespace sse::ctl
