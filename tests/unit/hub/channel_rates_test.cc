#include "hub/channel_rates.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::hub {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours(1)};

TEST(ChannelRates, AreThoseOfTheLastMinute) {
  ChannelRates rates;
  EXPECT_EQ(rates.per_minute("a", kStart), 0);
  for (int i = 0; i < 30; ++i) rates.note("a", kStart + seconds(i));
  rates.note("b", kStart);
  EXPECT_EQ(rates.per_minute("a", kStart + seconds(30)), 30);
  EXPECT_EQ(rates.per_minute("b", kStart + seconds(30)), 1);
  EXPECT_NEAR(rates.per_minute("a", kStart + seconds(90)), 15, 0.001);
  rates.note("a", kStart + seconds(90));
  EXPECT_NEAR(rates.per_minute("a", kStart + seconds(90)), 16, 0.001);
  EXPECT_EQ(rates.per_minute("a", kStart + seconds(600)), 0);
}

TEST(ChannelRates, AreKnownOfALimitedNumberOfChannels) {
  ChannelRates rates;
  for (std::size_t i = 0; i < ChannelRates::kMaxChannels + 100; ++i) rates.note("c" + std::to_string(i), kStart);
  EXPECT_EQ(rates.size(), ChannelRates::kMaxChannels);
  rates.note("late", kStart + seconds(1));
  EXPECT_EQ(rates.per_minute("late", kStart + seconds(1)), 0);
  rates.note("late", kStart + seconds(200));
  EXPECT_EQ(rates.per_minute("late", kStart + seconds(200)), 1);
  EXPECT_EQ(rates.size(), 1U);
}

}  // namespace
}  // namespace sse::hub
