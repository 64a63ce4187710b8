#include "ssectl/terminal/cells.h"

#include <gtest/gtest.h>

#include <cstdint>
namespace sse::ctl {
namespace {

using event::Json;

TEST(Cells, ShowWhatIsThere) {
  const Json json = Json::parse(R"({"s":"a","n":5,"l":["a",1],"o":{"x":1},"z":null,"e":[]})");
  EXPECT_EQ(text_cell(json, "s"), "a");
  EXPECT_EQ(text_cell(json, "n"), "5");
  EXPECT_EQ(text_cell(json, "l"), "a,1");
  EXPECT_EQ(text_cell(json, "o"), R"({"x":1})");
  EXPECT_EQ(text_cell(json, "z"), "");
  EXPECT_EQ(text_cell(json, "e"), "");
  EXPECT_EQ(text_cell(json, "missing"), "");
  EXPECT_EQ(text_cell(Json::array(), "s"), "");
}

TEST(Cells, TakeTimesOfAClockThatIsAhead) {
  const Json json{{"t", 5000}, {"bad", "x"}};
  EXPECT_EQ(age_cell(json, "t", from_millis(8000)), "3s");
  EXPECT_EQ(age_cell(json, "t", from_millis(1000)), "0ms");
  EXPECT_EQ(age_cell(json, "bad", from_millis(1000)), "");
  EXPECT_EQ(expiry_cell(json, "t", from_millis(1000)), "in 4s");
  EXPECT_EQ(expiry_cell(json, "t", from_millis(5000)), "expired");
  EXPECT_EQ(time_cell(json, "t"), "1970-01-01T00:00:05.000Z");
}

TEST(Cells, ShowSizesForPeople) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(1536), "1.5 KiB");
  EXPECT_EQ(human_size(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_size(UINT64_MAX), "16777216.0 TiB");
  EXPECT_EQ(size_cell(Json{{"n", -1}}, "n"), "0 B");
  EXPECT_EQ(size_cell(Json::object(), "n"), "");
}

TEST(Cells, CountInWords) {
  EXPECT_EQ(plural(1, "connection"), "1 connection");
  EXPECT_EQ(plural(0, "connection"), "0 connections");
}

TEST(Cells, ATimeIsFollowedByTheTimeSinceThen) {
  const event::Json one = {{"createTime", 1'700'000'000'000}};
  const WallTime now = from_millis(1'700'000'185'000);
  EXPECT_EQ(time_ago_cell(one, "createTime", now), "2023-11-14T22:13:20.000Z (3m 5s ago)");
  EXPECT_EQ(time_ago_cell(one, "closeTime", now), "");
}

}  // namespace
}  // namespace sse::ctl
