#include "observe/log_throttle.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"

namespace sse::observe {
namespace {

using std::chrono::seconds;

TEST(LogThrottle, LetsSoManyLinesThroughInEachIntervalAndCountsTheOthers) {
  ManualClock clock;
  LogThrottle throttle(seconds(10), 2);
  const auto line = [&] { return throttle.line(clock.steady_now()); };
  EXPECT_EQ(line(), 0U);
  clock.advance(seconds(9));
  EXPECT_EQ(line(), 0U);
  EXPECT_EQ(line(), std::nullopt);
  EXPECT_EQ(line(), std::nullopt);
  // Ten seconds after the first line.
  clock.advance(seconds(1));
  EXPECT_EQ(line(), 2U);
  EXPECT_EQ(line(), 0U);
  EXPECT_EQ(line(), std::nullopt);
}

}  // namespace
}  // namespace sse::observe
