#include "presence/occupancy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::presence {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

class OccupancyTest : public ::testing::Test {
 protected:
  void change(const std::string& channel, bool occupied, SteadyTime at, const std::string& service = "s") {
    occupancy_.shard_changed(ServiceName(service), channel, occupied, at);
  }

  std::vector<std::string> story_;
  Occupancy occupancy_{seconds(5), [this](const ServiceName& service, const std::string& channel, bool occupied) {
                         story_.push_back(service.str() + (occupied ? " + " : " - ") + channel);
                       }};
  const SteadyTime start_{std::chrono::hours(1)};
};

TEST_F(OccupancyTest, ReportsTheFirstShardAndTheLast) {
  change("a", true, start_);
  change("a", true, start_);
  change("b", true, start_);
  change("a", true, start_, "other");
  EXPECT_THAT(story_, ElementsAre("s + a", "s + b", "other + a"));
  change("a", false, start_);
  EXPECT_EQ(occupancy_.next_expiry(), std::nullopt);
  change("a", false, start_);
  EXPECT_EQ(occupancy_.next_expiry(), start_ + seconds(5));
  occupancy_.expire(start_ + seconds(4));
  EXPECT_EQ(story_.size(), 3U);
  occupancy_.expire(start_ + seconds(5));
  EXPECT_THAT(story_, ElementsAre("s + a", "s + b", "other + a", "s - a"));
  EXPECT_EQ(occupancy_.size(), 2U);
}

TEST_F(OccupancyTest, AReconnectIsNoChange) {
  change("a", true, start_);
  for (int i = 0; i < 100; ++i) {
    change("a", false, start_ + seconds(i));
    change("a", true, start_ + seconds(i));
  }
  occupancy_.expire(start_ + seconds(1000));
  EXPECT_THAT(story_, ElementsAre("s + a"));
  EXPECT_EQ(occupancy_.next_expiry(), std::nullopt);
}

TEST_F(OccupancyTest, WhatWasNeverOccupiedIsNotVacated) {
  change("a", false, start_);
  occupancy_.expire(start_ + seconds(1000));
  EXPECT_THAT(story_, ElementsAre());
}

TEST_F(OccupancyTest, OfTooManyThatWaitTheFirstAreVacatedEarly) {
  const auto name = [](std::size_t i) { return "c" + std::to_string(i); };
  for (std::size_t i = 0; i < Occupancy::kMaxWaiting + 2; ++i) {
    change(name(i), true, start_);
    change(name(i), false, start_ + std::chrono::milliseconds(i));
  }
  EXPECT_EQ(occupancy_.size(), Occupancy::kMaxWaiting);
  EXPECT_THAT(story_, ::testing::Contains("s - c0"));
  EXPECT_THAT(story_, ::testing::Contains("s - c1"));
  EXPECT_THAT(story_, ::testing::Not(::testing::Contains("s - c2")));
}

}  // namespace
}  // namespace sse::presence
