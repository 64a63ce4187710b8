#include "ssectl/context/paging.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "base/error.h"

namespace sse::ctl {
namespace {

// A listing of `total` rows that counts how often it was asked.
struct Rows {
  std::uint64_t total;
  int asked = 0;

  api::Json operator()(const api::Page& page) {
    ++asked;
    api::Json list = api::Json::array();
    const std::uint64_t end = std::min(total, page.number * page.size);
    for (std::uint64_t i = (page.number - 1) * page.size; i < end; ++i) list.push_back({{"n", i}});
    return {{"total", total}, {"pageNum", page.number}, {"pageSize", page.size}, {"list", std::move(list)}};
  }
};

TEST(Fetch, GathersEveryPageInOrder) {
  Rows rows{12001};
  Output out(Format::kJson, true);
  const api::Json all = fetch({}, std::ref(rows), out);
  EXPECT_EQ(rows.asked, 3);
  ASSERT_EQ(all["list"].size(), 12001U);
  EXPECT_EQ(all["list"].back()["n"], 12000);
  EXPECT_EQ(all["total"], 12001);
}

TEST(Fetch, TakesOnlyThePageAskedFor) {
  Rows rows{500};
  Output out(Format::kJson, true);
  PageOptions options;
  options.number = 2;
  EXPECT_EQ(fetch(options, std::ref(rows), out)["list"][0]["n"], 100);
  options.size = 7;
  EXPECT_EQ(fetch(options, std::ref(rows), out)["list"].size(), 7U);
  EXPECT_EQ(rows.asked, 2);
}

TEST(Fetch, StopsAtItsBoundAndSaysSo) {
  Rows rows{100001};
  Output out(Format::kJson, true);
  testing::internal::CaptureStderr();
  EXPECT_EQ(fetch({}, std::ref(rows), out)["list"].size(), 100000U);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("first 100000 of 100001"), std::string::npos);
}

TEST(Fetch, RefusesAnAnswerWithoutAList) {
  Output out(Format::kJson, true);
  EXPECT_THROW(fetch(
                   {}, [](const api::Page&) { return api::Json::object(); }, out),
               Error);
}

}  // namespace
}  // namespace sse::ctl
