#include "pages/publish_limiter.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/manual_clock.h"

namespace sse::pages {
namespace {

using std::chrono::milliseconds;

TEST(PublishLimiter, LetsAStreamPublishTheEventsOfASecondAtOnceAndThenOneAtATime) {
  ManualClock clock;
  PublishLimiter limiter(4, clock);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(limiter.take(ConnectionId(1))) << i;
  EXPECT_FALSE(limiter.take(ConnectionId(1)));
  EXPECT_TRUE(limiter.take(ConnectionId(2))) << "another stream";
  clock.advance(milliseconds(249));
  EXPECT_FALSE(limiter.take(ConnectionId(1)));
  clock.advance(milliseconds(1));
  EXPECT_TRUE(limiter.take(ConnectionId(1)));
  EXPECT_FALSE(limiter.take(ConnectionId(1)));
  clock.advance(milliseconds(2000));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(limiter.take(ConnectionId(1))) << i;
  EXPECT_FALSE(limiter.take(ConnectionId(1))) << "time that is not used is not saved up";
}

TEST(PublishLimiter, HasNoLimitAtARateOf0) {
  ManualClock clock;
  PublishLimiter limiter(0, clock);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(limiter.take(ConnectionId(1)));
  EXPECT_EQ(limiter.size(), 0U);
}

TEST(PublishLimiter, RemembersOnlyStreamsThatHavePublishedWithinASecond) {
  ManualClock clock;
  PublishLimiter limiter(1, clock);
  for (std::uint64_t id = 1; id <= 100'000; ++id) {
    ASSERT_TRUE(limiter.take(ConnectionId(id)));
    if (id % 1000 == 0) clock.advance(std::chrono::seconds(1));
    ASSERT_LE(limiter.size(), 3001U);
  }
}

}  // namespace
}  // namespace sse::pages
