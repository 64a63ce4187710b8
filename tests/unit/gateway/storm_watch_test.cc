#include "gateway/storm_watch.h"

#include <gtest/gtest.h>

namespace sse::gateway {
namespace {

TEST(StormWatch, SpeaksUpOnceWhenAStormIsOver) {
  StormWatch watch(1000);
  EXPECT_FALSE(watch.over(0));
  EXPECT_FALSE(watch.over(5000));
  EXPECT_FALSE(watch.over(9000));
  EXPECT_TRUE(watch.over(9020));
  EXPECT_FALSE(watch.over(9020));
  EXPECT_FALSE(watch.over(9100));
  EXPECT_FALSE(watch.over(9100));
  EXPECT_FALSE(watch.over(20'000));
  EXPECT_TRUE(watch.over(20'000));
}

TEST(StormWatch, HearsOfManySmallHappeningsInTheEnd) {
  StormWatch watch(1000);
  std::uint64_t happened = 0;
  int times = 0;
  for (int i = 0; i < 100; ++i) {
    if (watch.over(happened += 40)) ++times;
  }
  EXPECT_EQ(times, 4);
}

}  // namespace
}  // namespace sse::gateway
