#pragma once

#include <cstdint>
#include <functional>

#include "api/types.h"
#include "cli/app.h"
#include "ssectl/terminal/output.h"

namespace sse::ctl {

/// The options --page and --page-size. Without either, a command fetches all rows.
struct PageOptions {
  std::uint64_t number = 0;
  std::uint64_t size = 0;

  void declare(cli::App& app);
};

using FetchPage = std::function<api::Json(const api::Page&)>;

/// Fetches the requested page, or all pages as a single one whose `pageSize` is the number of rows. Returns at most
/// 100,000 rows; if there are more, a note on standard error says so.
api::Json fetch(const PageOptions& options, const FetchPage& fetch_page, Output& out);

}  // namespace sse::ctl
