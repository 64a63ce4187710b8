#include "ssectl/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sse::load {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds(0));
  EXPECT_EQ(histogram.max(), nanoseconds(0));
}

TEST(Histogram, QuantilesAreWithinTwoPercentOfTheExactOnes) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latencies(13, 2);
  Histogram histogram;
  std::vector<std::int64_t> exact;
  for (int i = 0; i < 50'000; ++i) {
    exact.push_back(static_cast<std::int64_t>(latencies(random)));
    histogram.record(nanoseconds(exact.back()));
  }
  std::ranges::sort(exact);
  for (const double quantile : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(quantile * static_cast<double>(exact.size())) - 1;
    EXPECT_NEAR(static_cast<double>(histogram.quantile(quantile).count()), static_cast<double>(exact[rank]),
                0.02 * static_cast<double>(exact[rank]))
        << quantile;
  }
  EXPECT_EQ(histogram.max().count(), exact.back());
  EXPECT_EQ(histogram.quantile(1).count(), exact.back());
}

TEST(Histogram, MergesAsIfAllHadBeenRecordedInOne) {
  Histogram one;
  Histogram other;
  Histogram both;
  for (int i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? one : other).record(nanoseconds(i * i));
    both.record(nanoseconds(i * i));
  }
  one.merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.max(), both.max());
  for (const double quantile : {0.1, 0.5, 0.99}) EXPECT_EQ(one.quantile(quantile), both.quantile(quantile));
}

TEST(Histogram, TakesTimesBeforeTheStartAndBeyondItsRange) {
  Histogram histogram;
  histogram.record(nanoseconds(-5));
  histogram.record(std::chrono::hours(1000));
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds(0));
  EXPECT_EQ(histogram.max(), std::chrono::hours(1000));
}

}  // namespace
}  // namespace sse::load
