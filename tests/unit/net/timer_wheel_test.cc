#include "net/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace sse::net {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr milliseconds kGrain{10};
const SteadyTime kStart{std::chrono::hours(1)};

std::vector<std::uint64_t> fired(TimerWheel& wheel, SteadyTime now) {
  std::vector<std::uint64_t> keys;
  wheel.advance(now, [&](std::uint64_t key) { keys.push_back(key); });
  return keys;
}

TEST(TimerWheel, FiresOnceAndNotBeforeItIsDue) {
  TimerWheel wheel(kGrain, 16, kStart);
  const SteadyTime when = wheel.add(7, kStart + milliseconds(25));
  EXPECT_GE(when, kStart + milliseconds(25));
  EXPECT_THAT(fired(wheel, kStart + milliseconds(25)), IsEmpty());
  EXPECT_THAT(fired(wheel, when), ElementsAre(7));
  EXPECT_THAT(fired(wheel, when + milliseconds(1000)), IsEmpty());
}

TEST(TimerWheel, FiresWhatIsLongDueAtTheNextTick) {
  TimerWheel wheel(kGrain, 16, kStart);
  fired(wheel, kStart + milliseconds(500));
  const SteadyTime when = wheel.add(1, kStart);
  EXPECT_GT(when, kStart + milliseconds(500));
  EXPECT_THAT(fired(wheel, when), ElementsAre(1));
}

TEST(TimerWheel, FiresEarlyWhatIsPastTheHorizon) {
  TimerWheel wheel(kGrain, 4, kStart);
  const SteadyTime when = wheel.add(1, kStart + std::chrono::hours(1));
  EXPECT_LE(when, kStart + 4 * kGrain);
  EXPECT_THAT(fired(wheel, when), ElementsAre(1));
}

TEST(TimerWheel, CatchesUpAfterALongSilence) {
  TimerWheel wheel(kGrain, 4, kStart);
  wheel.add(1, kStart + milliseconds(5));
  wheel.add(2, kStart + milliseconds(15));
  wheel.add(2, kStart + milliseconds(15));
  EXPECT_THAT(fired(wheel, kStart + std::chrono::minutes(1)), UnorderedElementsAre(1, 2, 2));
}

TEST(TimerWheel, MayBeAddedToWhileItFires) {
  TimerWheel wheel(kGrain, 4, kStart);
  wheel.add(1, kStart);
  int times = 0;
  wheel.advance(kStart + milliseconds(100), [&](std::uint64_t key) {
    ++times;
    if (times < 5) wheel.add(key, kStart);
  });
  EXPECT_EQ(times, 5);
}

TEST(TimerWheel, LosesNothingUnderRandomUse) {
  std::mt19937 random(1);
  TimerWheel wheel(kGrain, 32, kStart);
  std::map<std::uint64_t, SteadyTime> due;  // real deadlines, some past the horizon
  SteadyTime now = kStart;
  std::uint64_t key = 0;
  for (int step = 0; step < 2000; ++step) {
    due[++key] = now + milliseconds(random() % 600);
    wheel.add(key, due[key]);
    now += milliseconds(random() % 20);
    wheel.advance(now, [&](std::uint64_t k) {
      if (due.at(k) > now) {
        wheel.add(k, due.at(k));
      } else {
        due.erase(k);
      }
    });
    for (const auto& [k, when] : due) ASSERT_GE(when + 2 * kGrain, now) << k;
  }
}

}  // namespace
}  // namespace sse::net
