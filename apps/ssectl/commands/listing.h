#pragma once

#include <functional>
#include <string>
#include <vector>

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
  std::vector<std::string> attributes;
  PageOptions page;
  bool count = false;
  Watch watch;

  /// Adds --user, --tenant, --token, --channel, --listening, --client, --attribute and --name, which select
  /// connections.
  void declare_filters(cli::App& app);
  /// Adds --sort with these keys (the first is the default), --reverse, --page, --page-size, --count and --watch.
  void declare_order(cli::App& app, const std::vector<std::string>& keys);
};

using FetchListing = std::function<api::Json(const api::ConnectionQuery&, const api::Page&)>;

/// Fetches the rows and prints them: for people what `describe` returns for the page, or the note `empty` if there are
/// none; otherwise JSON. With --count prints only their number.
int run_listing(const Listing& listing, Context& context, const FetchListing& fetch_page,
                const Output::Describe& describe, const std::string& empty);

}  // namespace sse::ctl
