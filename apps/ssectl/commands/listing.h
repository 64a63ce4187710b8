#pragma once

#include <functional>
#include <string>

#include "api/types.h"
#include "cli/app.h"
#include "ssectl/context/context.h"
#include "ssectl/context/paging.h"
#include "ssectl/context/watch.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

/// Options of the commands that list connections, or their users, tenants, channels and tokens.
struct Listing {
  api::ConnectionQuery query;
  PageOptions page;
  bool count = false;
  Watch watch;

  /// Adds --user, --tenant, --token, --channel, --listening, --client and --name, which select connections.
  void declare_filters(cli::App& app);
  /// Adds --sort with these keys (the first is the default), --reverse, --page, --page-size, --count and --watch.
  void declare_order(cli::App& app, const std::vector<std::string>& keys);
};

using FetchListing = std::function<api::Json(const api::ConnectionQuery&, const api::Page&)>;
/// Formats the rows of a listing. REQUIRES: `list` is not empty.
using Render = std::function<std::string(const api::Json& list, const TableStyle& style)>;

/// Fetches the rows and prints them: a table, JSON, or with --count only their number. The last argument is the note
/// that is printed when there are none.
int run_listing(const Listing& listing, Context& context, const FetchListing& fetch_page, const Render& render,
                const std::string& empty_note);

}  // namespace sse::ctl
