#include "bench/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sse::bench {
namespace {

using ::testing::HasSubstr;

Row row(double ours, double reference, std::optional<Bar> bar) {
  return {"a", "single events", "deliveries/s", ours, reference, "bare loop", bar};
}

TEST(Row, SaysWhetherABarIsReachedAndByHowMuchItIsMissed) {
  EXPECT_EQ(row(190, 200, Bar::ratio_at_least(0.95)).verdict(), "ok");
  EXPECT_EQ(row(180, 200, Bar::ratio_at_least(1.0)).verdict(), "missed by 10.0 %");
  EXPECT_EQ(row(209, 200, Bar::ratio_at_most(1.05)).verdict(), "ok");
  EXPECT_EQ(row(330, 200, Bar::ratio_at_most(1.5)).verdict(), "missed by 10.0 %");
  EXPECT_EQ(row(400, 0, Bar::at_most(400)).verdict(), "ok");
  EXPECT_EQ(row(500, 9, Bar::at_most(400)).verdict(), "missed by 25.0 %");
  EXPECT_EQ(row(1, 2, std::nullopt).verdict(), "");
}

TEST(Row, MissesABarAgainstAReferenceThatDidNothing) {
  EXPECT_THAT(row(100, 0, Bar::ratio_at_least(1)).verdict(), HasSubstr("missed"));
}

TEST(Row, ShowsTheReferenceItWasMeasuredWith) {
  const std::string text = row(190'000, 200'000, Bar::ratio_at_least(0.95)).text();
  EXPECT_THAT(text, HasSubstr("single events [deliveries/s]"));
  EXPECT_THAT(text, HasSubstr("190000"));
  EXPECT_THAT(text, HasSubstr("0.95 x"));
  EXPECT_THAT(text, HasSubstr("(bare loop)"));
  const auto json = row(190'000, 200'000, Bar::ratio_at_least(0.95)).json();
  EXPECT_EQ(json["ratio"], 0.95);
  EXPECT_EQ(json["reached"], true);
  EXPECT_EQ(json["referenceName"], "bare loop");
}

TEST(Table, CountsTheBars) {
  Table table;
  table.add(row(2, 1, Bar::ratio_at_least(1)));
  table.add(row(1, 2, Bar::ratio_at_least(1)));
  table.add(row(1, 2, std::nullopt));
  EXPECT_EQ(table.summary(), "1 of 2 bars reached");
  EXPECT_EQ(table.json()["rows"].size(), 3U);
}

}  // namespace
}  // namespace sse::bench
