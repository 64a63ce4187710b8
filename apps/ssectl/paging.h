#pragma once

#include <cstdint>
#include <functional>

#include "api/types.h"
#include "cli/app.h"
#include "output.h"

namespace sse::ctl {

/// --page and --page-size. Without either everything is fetched.
struct PageOptions {
  std::uint64_t number = 0;
  std::uint64_t size = 0;

  void declare(cli::App& app);
};

using FetchPage = std::function<api::Json(const api::Page&)>;

/// The page asked for, or all of them as one whose `pageSize` is the number of rows. No more than 100,000 rows; what is
/// left out is said on standard error.
api::Json fetch(const PageOptions& options, const FetchPage& fetch_page, Output& out);

}  // namespace sse::ctl
