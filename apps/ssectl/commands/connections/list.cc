#include <memory>
#include <string>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/listing.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

std::string table_of(const api::Json& page, const TableStyle& style) {
  Table table({{"ID"},
               shrinking("USER"),
               shrinking("TENANT"),
               shrinking("CHANNEL"),
               shrinking("IP"),
               {"AGE"},
               right_aligned("EVENTS"),
               right_aligned("BACKLOG"),
               shrinking("LISTENS TO")});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "accessUserId"), text_cell(one, "accessTenantId"),
               channels_cell(one), text_cell(one, "requestIp"), age_cell(one, "createTime", now),
               text_cell(one, "messageCount"), size_cell(one, "backlogBytes"), text_cell(one, "listeners")});
  }
  return table.render(style);
}

std::string closed_table_of(const api::Json& page, const TableStyle& style) {
  Table table({{"ID"},
               shrinking("USER"),
               shrinking("IP"),
               {"ENDED"},
               {"REASON"},
               {"OPENED"},
               right_aligned("EVENTS"),
               right_aligned("SENT"),
               right_aligned("BACKLOG")});
  const WallTime now = wall_now();
  for (const api::Json& one : page.at("list")) {
    table.add({text_cell(one, "id"), text_cell(one, "accessUserId"), text_cell(one, "requestIp"),
               age_cell(one, "closeTime", now) + " ago", text_cell(one, "reason"),
               age_cell(one, "createTime", now) + " ago", text_cell(one, "messageCount"), size_cell(one, "bytesSent"),
               size_cell(one, "owedBytes")});
  }
  return table.render(style);
}

struct Options : Listing {
  bool closed = false;
  std::string reason;
};

int run_closed(const Options& options, Context& context) {
  const FetchListing fetch = [&](const api::ConnectionQuery& query, const api::Page& page) {
    return context.client().list_closed({query.service, query.user, options.reason}, page);
  };
  return run_listing(options, context, fetch, closed_table_of, "no recently closed stream matches");
}

int run(const Options& listing, Context& context) {
  if (listing.closed) return run_closed(listing, context);
  const FetchListing fetch = [&](const api::ConnectionQuery& query, const api::Page& page) {
    return context.client().list_connections(query, page);
  };
  return run_listing(listing, context, fetch, table_of, "no open connection matches");
}

}  // namespace

Run declare_connections_list(cli::App& app) {
  auto listing = std::make_shared<Options>();
  listing->declare_filters(app);
  listing->declare_order(app, {"created", "user", "tenant", "channel", "messages", "bytes", "backlog", "lastWrite",
                               "lastRequest", "rate"});
  cli::Option closed =
      app.add_flag("--closed", listing->closed, "List recently closed streams instead, newest first, with reasons");
  app.add_option("--reason", listing->reason, "With --closed: only those closed for this reason, such as slow-consumer")
      .type_name("REASON")
      .needs(closed);
  for (const char* open_only :
       {"--tenant", "--token", "--channel", "--listening", "--client", "--attribute", "--name", "--sort", "--reverse"})
    app.option(open_only).excludes(closed);
  return [listing](Context& context) { return run(*listing, context); };
}

}  // namespace sse::ctl
