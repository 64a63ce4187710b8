#include <memory>
#include <string>

#include "base/clock.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/listing.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

using event::TargetKind;

std::string heading(TargetKind kind) {
  return kind == TargetKind::kTenant ? "TENANT" : kind == TargetKind::kToken ? "TOKEN" : "CHANNEL";
}

Run declare(cli::App& app, TargetKind kind) {
  auto listing = std::make_shared<Listing>();
  listing->declare_filters(app);
  if (kind == TargetKind::kChannel) {
    app.add_option("--prefix", listing->query.prefix, "Only channels whose names begin with this").type_name("TEXT");
  }
  listing->declare_order(app, {"name", "connections", "users", "first", "last"});
  return [listing, kind](Context& context) {
    const FetchListing fetch = [&](const api::ConnectionQuery& query, const api::Page& page) {
      return context.client().list_names(kind, query, page);
    };
    const Output::Describe render = [&](const api::Json& page, const TableStyle& style) {
      Table table(
          {shrinking(heading(kind)), right_aligned("CONNECTIONS"), right_aligned("USERS"), {"OLDEST"}, {"NEWEST"}});
      const WallTime now = wall_now();
      for (const api::Json& one : page.at("list")) {
        table.add({text_cell(one, "name"), text_cell(one, "connections"), text_cell(one, "users"),
                   age_cell(one, "firstConnectTime", now), age_cell(one, "lastConnectTime", now)});
      }
      return table.render(style);
    };
    return run_listing(*listing, context, fetch, render,
                       "no matching connection has a " + std::string(event::kind_name(kind)));
  };
}

}  // namespace

Run declare_tenants_list(cli::App& app) {
  return declare(app, TargetKind::kTenant);
}

Run declare_channels_list(cli::App& app) {
  return declare(app, TargetKind::kChannel);
}

Run declare_tokens_list(cli::App& app) {
  return declare(app, TargetKind::kToken);
}

}  // namespace sse::ctl
