#include "cluster/gathering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/manual_clock.h"
#include "support/process.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kPatience = sse::testing::kPatience;

TEST(Gathering, WaitsForThoseReachedAndForTheirAnswersInAnyOrder) {
  Gathering gathering;
  const auto [first, asked] = gathering.open(2);
  gathering.answered(first + 1, "b", "early");
  gathering.reached(first + 1, 1);
  gathering.reached(first, 2);
  gathering.came_back(first);
  std::thread later([&, number = first] { gathering.answered(number, "c", "late"); });
  const std::vector<Answers> all = asked->wait(kPatience);
  later.join();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].answers.at(0).bytes, "late");
  EXPECT_EQ(all[0].silent, 0u);
  EXPECT_EQ(all[1].answers.at(0).bytes, "early");
}

TEST(Gathering, IgnoresWhatNobodyAskedOrWaitsForAnyMore) {
  Gathering gathering;
  gathering.answered(7, "b", "to nothing");
  std::uint64_t number = 0;
  {
    const auto [first, asked] = gathering.open(1);
    number = first;
  }
  gathering.reached(number, 1);
  gathering.answered(number, "b", "too late");
  const auto [next, asked] = gathering.open(1);
  EXPECT_GT(next, number);
  gathering.reached(next, 0);
  EXPECT_THAT(asked->wait(kPatience).at(0).answers, IsEmpty());
}

TEST(Gathering, NamesThoseGivenUpAndWaitsForThemNoLonger) {
  Gathering gathering;
  const auto [first, asked] = gathering.open(2);
  gathering.reached(first, 2);
  gathering.answered(first, "b", "1");
  gathering.answered(first + 1, "b", "2");
  gathering.give_up(first, 2, {"c"});
  gathering.reached(first + 1, 1);
  const std::vector<Answers> all = asked->wait(kPatience);
  EXPECT_EQ(all.at(0).silent, 1u);
  EXPECT_THAT(all.at(0).missing, ::testing::ElementsAre("c"));
  EXPECT_EQ(all.at(1).silent, 0u);
  EXPECT_THAT(all.at(1).missing, IsEmpty());
}

TEST(Gathering, SaysWhenItWasNotKnownWhetherItGotOut) {
  Gathering gathering;
  const auto [first, asked] = gathering.open(1);
  EXPECT_NE(asked->wait(1ms).at(0).failure, "");
}

TEST(Gathering, CallsBackOnceAllAnswersAreThere) {
  Gathering gathering;
  std::atomic<int> one{0};
  std::atomic<int> both{0};
  const auto [first, asked_one] = gathering.open(1);
  const auto [second, asked_both] = gathering.open(2);
  asked_one->then(kPatience, [&](const std::vector<Answers>& all) {
    EXPECT_EQ(all.at(0).answers.at(0).bytes, "1");
    ++one;
  });
  asked_both->then(kPatience, [&](const std::vector<Answers>& all) {
    EXPECT_THAT(all, SizeIs(2));
    ++both;
  });
  gathering.reached(first, 1);
  gathering.answered(first, "b", "1");
  gathering.reached(second, 1);
  gathering.answered(second, "b", "2");
  gathering.run_ready();
  EXPECT_TRUE(eventually([&] { return one == 1; }));
  EXPECT_EQ(both, 0);
  gathering.reached(second + 1, 0);
  gathering.run_ready();
  EXPECT_TRUE(eventually([&] { return both == 1; }));
  gathering.run_ready();
  EXPECT_EQ(one, 1);
  EXPECT_EQ(both, 1);
}

TEST(Gathering, CallsBackWhenPatienceIsOverTheShorterOneFirst) {
  ManualClock clock;
  Gathering gathering(clock);
  std::atomic<int> called{0};
  std::atomic<bool> long_one{false};
  const auto [one, asked_one] = gathering.open(1);
  const auto [two, asked_two] = gathering.open(1);
  asked_one->then(std::chrono::hours(1), [&](const std::vector<Answers>&) { long_one = true; });
  gathering.reached(two, 3);
  asked_two->then(50ms, [&](const std::vector<Answers>& all) {
    EXPECT_EQ(all.at(0).silent, 3u);
    ++called;
  });
  // The watcher waits for the nearer deadline.
  ASSERT_TRUE(eventually([&] { return clock.next_deadline() == clock.steady_now() + 50ms; }));
  EXPECT_EQ(called, 0);
  ASSERT_TRUE(clock.advance_until(10ms, [&] { return called == 1; }));
  EXPECT_FALSE(long_one);
  gathering.failed(one, "gone");
  gathering.run_ready();
  EXPECT_TRUE(eventually([&] { return long_one.load(); }));
  // Again, when nothing had been waited for.
  const auto [three, asked_three] = gathering.open(1);
  asked_three->then(50ms, [&](const std::vector<Answers>&) { ++called; });
  ASSERT_TRUE(clock.advance_until(10ms, [&] { return called == 2; }));
}

// Answers, ends of patience and the end of all race; each is called exactly once.
TEST(Gathering, CallsBackOnceWhateverComesFirst) {
  std::atomic<int> called{0};
  constexpr int kCalls = 2000;
  {
    Gathering gathering;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kCalls / 2; ++i) {
          const auto [number, asked] = gathering.open(1);
          gathering.reached(number, 1);
          asked->then(std::chrono::milliseconds(i % 4), [&](const std::vector<Answers>&) { ++called; });
          if (i % 3 != 0) gathering.answered(number, "b", "");
          gathering.run_ready();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(called, kCalls);
}

}  // namespace
}  // namespace sse::cluster
