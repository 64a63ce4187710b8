#include "ssectl/commands/recent_ids.h"

#include <gtest/gtest.h>

namespace sse::ctl {
namespace {

TEST(RecentIds, TellsARepeatedIdFromANewOne) {
  RecentIds ids;
  EXPECT_TRUE(ids.add("1"));
  EXPECT_TRUE(ids.add("2"));
  EXPECT_FALSE(ids.add("1"));
}

TEST(RecentIds, ForgetsTheOldestOfMoreThanItHolds) {
  RecentIds ids(2);
  ids.add("1");
  ids.add("2");
  ids.add("3");
  EXPECT_FALSE(ids.add("2"));
  EXPECT_TRUE(ids.add("1"));
}

}  // namespace
}  // namespace sse::ctl
