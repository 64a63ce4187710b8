#include <memory>
#include <string>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/messages/source.h"
#include "ssectl/context/paging.h"
#include "ssectl/context/watch.h"
#include "ssectl/input/message_filter.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
  PageOptions page;
  Watch watch;
  std::string db;
};

std::string state_cell(const api::Json& one) {
  const std::string connection = text_cell(one, "connection");
  return text_cell(one, "state") + (connection.empty() ? "" : " on " + connection);
}

std::string table_of(const api::Json& page, const TableStyle& style) {
  Table table({{"ID"},
               {"KIND"},
               shrinking("RECIPIENT"),
               shrinking("EVENT"),
               right_aligned("SIZE"),
               {"AGE"},
               {"EXPIRES"},
               {"STATE"},
               right_aligned("ATTEMPTS"),
               shrinking("SERVICE")});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "kind"), recipient_cell(one), text_cell(one, "event"),
               size_cell(one, "size"), age_cell(one, "createTime", now), expiry_cell(one, "expireTime", now),
               state_cell(one), text_cell(one, "attempts"), text_cell(one, "service")});
  }
  return table.render(style);
}

int run(const Options& options, Context& context) {
  const api::MessageQuery query = with_service(options.query, context);
  const api::Json page = fetch(
      options.page, [&](const api::Page& p) { return list_messages(context, options.db, query, p); }, context.out());
  context.out().result_list(page, table_of, "no pending message matches");
  return kDone;
}

}  // namespace

Run declare_messages_list(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  options->page.declare(app);
  options->watch.declare(app);
  declare_db(app, options->db);
  return [options](Context& context) { return options->watch.run(context, [&] { return run(*options, context); }); };
}

}  // namespace sse::ctl
