#include "base/coarse_time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace sse {
namespace {

using std::chrono::milliseconds;

TEST(CoarseTime, TellsItsAgeToTenMilliseconds) {
  const SteadyTime then = SteadyTime() + milliseconds(123'456);
  const CoarseTime coarse(then);
  for (const milliseconds later : {milliseconds(0), milliseconds(9), milliseconds(15'000), milliseconds(86'400'000)}) {
    EXPECT_LE(coarse.age(then + later) - later, milliseconds(10));
    EXPECT_GE(coarse.age(then + later) - later, milliseconds(-10));
    EXPECT_LE(coarse.at(then + later) - then, milliseconds(10));
    EXPECT_GE(coarse.at(then + later) - then, milliseconds(-10));
  }
}

TEST(CoarseTime, SurvivesTheEndOfItsRange) {
  // The ticks of a machine that has been up for 497 days start again at 0.
  const SteadyTime end = SteadyTime() + milliseconds(10) * (std::int64_t{1} << 32);
  const CoarseTime before(end - milliseconds(500));
  EXPECT_EQ(before.age(end + milliseconds(1500)), milliseconds(2000));
}

}  // namespace
}  // namespace sse
