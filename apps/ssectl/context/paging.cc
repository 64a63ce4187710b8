#include "ssectl/context/paging.h"

#include <utility>

#include "base/error.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

constexpr std::uint64_t kFetchSize = 5000;
constexpr std::uint64_t kMaxRows = 100000;
constexpr std::uint64_t kUsualSize = 100;

}  // namespace

void PageOptions::declare(cli::App& app) {
  app.add_option("--page", number, "Only this page, counted from 1").type_name("N").positive();
  app.add_option("--page-size", size, "Rows of a page, 1 to 10000 (default 100)")
      .type_name("N")
      .shown_range(1, api::kMaxPageSize);
}

api::Json fetch(const PageOptions& options, const FetchPage& fetch_page, Output& out) {
  if (options.number != 0 || options.size != 0) {
    return fetch_page({options.number == 0 ? 1 : options.number, options.size == 0 ? kUsualSize : options.size});
  }
  api::Json all = api::Json::array();
  std::uint64_t total = 0;
  for (std::uint64_t number = 1; all.size() < kMaxRows; ++number) {
    api::Json page = fetch_page({number, kFetchSize});
    total = count_in(page, "total");
    const auto list = page.find("list");
    if (list == page.end() || !list->is_array()) {
      throw Error(ErrorCode::kUnavailable,
                  "the server's response has no list; check that the address is the admin API of sse-serve");
    }
    const std::size_t got = list->size();
    for (api::Json& one : *list) all.push_back(std::move(one));
    if (got < kFetchSize || all.size() >= total) break;
  }
  if (all.size() >= kMaxRows && all.size() < total) {
    out.note("these are the first " + std::to_string(all.size()) + " of " + std::to_string(total) +
             "; ask for more with --page and --page-size, or for fewer with a filter");
  }
  const std::uint64_t rows = all.size();
  return {{"total", total}, {"pageNum", 1}, {"pageSize", rows}, {"list", std::move(all)}};
}

}  // namespace sse::ctl
