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

}  // namespace
}  // namespace sse::presence
