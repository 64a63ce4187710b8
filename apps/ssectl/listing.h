#pragma once

#include <functional>
#include <string>

#include "api/types.h"
#include "cli/app.h"
#include "command.h"
#include "paging.h"
#include "table.h"
#include "watch.h"

namespace sse::ctl {

/// What the commands that list connections, or what connections have in common, take.
struct Listing {
  api::ConnectionQuery query;
  PageOptions page;
  bool count = false;
  Watch watch;

  /// --user, --tenant, --token, --channel, --listening, --client, --name: only connections like that count.
  void declare_filters(cli::App& app);
  /// --sort with these keys, the first being the default, --reverse, --page, --page-size,
  /// --count and --watch.
  void declare_order(cli::App& app, const std::vector<std::string>& keys);
};

using FetchListing = std::function<api::Json(const api::ConnectionQuery&, const api::Page&)>;
/// Rows of the listing, which are not none.
using Render = std::function<std::string(const api::Json& list, const Look& look)>;

/// Fetches and prints: a table, JSON, or with --count the number alone. `nobody`: said when there is none.
int run_listing(const Listing& listing, Context& context, const FetchListing& fetch_page, const Render& render,
                const std::string& nobody);

}  // namespace sse::ctl
