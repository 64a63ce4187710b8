#include <memory>
#include <string>

#include "base/clock.h"
#include "cells.h"
#include "command.h"
#include "listing.h"
#include "table.h"

namespace sse::ctl {
namespace {

std::string table_of(const api::Json& list, const Look& look) {
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
  for (const api::Json& one : list) {
    table.add({text_cell(one, "id"), text_cell(one, "accessUserId"), text_cell(one, "accessTenantId"),
               text_cell(one, "channel"), text_cell(one, "requestIp"), age_cell(one, "createTime", now),
               text_cell(one, "messageCount"), size_cell(one, "backlogBytes"), text_cell(one, "listeners")});
  }
  return table.render(look);
}

int run(const Listing& listing, Context& context) {
  const FetchListing fetch = [&](const api::ConnectionQuery& query, const api::Page& page) {
    return context.client().list_connections(query, page);
  };
  return run_listing(listing, context, fetch, table_of, "no connection is open that matches");
}

}  // namespace

Run declare_connections_list(CLI::App& app) {
  auto listing = std::make_shared<Listing>();
  listing->declare_filters(app);
  listing->declare_order(
      app, {"created", "user", "tenant", "channel", "messages", "bytes", "backlog", "lastWrite", "lastRequest", "rate"});
  return [listing](Context& context) { return run(*listing, context); };
}

}  // namespace sse::ctl
