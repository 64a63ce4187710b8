#include "server/memory_trimmer.h"

#include <gtest/gtest.h>

namespace sse::server {
namespace {

TEST(MemoryTrimmer, SpeaksUpOnceWhenAStormIsOver) {
  MemoryTrimmer watch(1000);
  EXPECT_FALSE(watch.burst_ended(0));
  EXPECT_FALSE(watch.burst_ended(5000));
  EXPECT_FALSE(watch.burst_ended(9000));
  EXPECT_TRUE(watch.burst_ended(9020));
  EXPECT_FALSE(watch.burst_ended(9020));
  EXPECT_FALSE(watch.burst_ended(9100));
  EXPECT_FALSE(watch.burst_ended(9100));
  EXPECT_FALSE(watch.burst_ended(20'000));
  EXPECT_TRUE(watch.burst_ended(20'000));
}

TEST(MemoryTrimmer, CountsManySmallReleasesInTheEnd) {
  MemoryTrimmer watch(1000);
  std::uint64_t happened = 0;
  int times = 0;
  for (int i = 0; i < 100; ++i) {
    if (watch.burst_ended(happened += 40)) ++times;
  }
  EXPECT_EQ(times, 4);
}

}  // namespace
}  // namespace sse::server
