#include <memory>
#include <string>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/listing.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  Listing listing;
  bool ids = false;
};

std::string table_of(const api::Json& page, const TableStyle& style) {
  Table table({shrinking("USER"),
               shrinking("NAME"),
               right_aligned("CONNECTIONS"),
               shrinking("TENANTS"),
               shrinking("CHANNELS"),
               {"ONLINE FOR"},
               {"SESSION"}});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "name"), text_cell(one, "connections"), text_cell(one, "tenants"),
               text_cell(one, "channels"), age_cell(one, "firstConnectTime", now),
               seconds_cell(one, "sessionDuration")});
  }
  return table.render(style);
}

std::string lines_of(const api::Json& page, const TableStyle&) {
  std::string lines;
  for (const api::Json& one : page.at("list"))
    lines += printable(one.is_string() ? one.get<std::string>() : event::dump_json(one), 8192) + '\n';
  return lines;
}

int run(const Options& options, Context& context) {
  api::Client& client = context.client();
  const FetchListing fetch = [&](const api::ConnectionQuery& query, const api::Page& page) {
    return options.ids ? client.list_user_ids(query, page) : client.list_users(query, page);
  };
  return run_listing(options.listing, context, fetch, options.ids ? lines_of : table_of, "no matching user is online");
}

}  // namespace

Run declare_users_list(cli::App& app) {
  auto options = std::make_shared<Options>();
  options->listing.declare_filters(app);
  options->listing.declare_order(app, {"id", "connections", "first", "last"});
  app.add_flag("--ids", options->ids, "Print only the ids, one a line");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
