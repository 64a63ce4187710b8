#include "cluster/core/request_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/manual_clock.h"
#include "support/eventually.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kTimeout = sse::testing::kTimeout;

TEST(RequestTracker, WaitsForThoseReachedAndForTheirAnswersInAnyOrder) {
  RequestTracker tracker;
  const auto [first, asked] = tracker.open(2);
  tracker.answered(first + 1, "b", "early");
  tracker.reached(first + 1, 1);
  tracker.reached(first, 2);
  tracker.echoed(first);
  std::thread later([&, number = first] { tracker.answered(number, "c", "late"); });
  const std::vector<Replies> all = asked->wait(kTimeout);
  later.join();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].answers.at(0).bytes, "late");
  EXPECT_EQ(all[0].silent, 0u);
  EXPECT_EQ(all[1].answers.at(0).bytes, "early");
}

TEST(RequestTracker, IgnoresWhatWasNotAskedOrIsNoLongerWaitedFor) {
  RequestTracker tracker;
  tracker.answered(7, "b", "to nothing");
  std::uint64_t number = 0;
  {
    const auto [first, asked] = tracker.open(1);
    number = first;
  }
  tracker.reached(number, 1);
  tracker.answered(number, "b", "too late");
  const auto [next, asked] = tracker.open(1);
  EXPECT_GT(next, number);
  tracker.reached(next, 0);
  EXPECT_THAT(asked->wait(kTimeout).at(0).answers, IsEmpty());
}

TEST(RequestTracker, NamesThoseGivenUpAndWaitsForThemNoLonger) {
  RequestTracker tracker;
  const auto [first, asked] = tracker.open(2);
  tracker.reached(first, 2);
  tracker.answered(first, "b", "1");
  tracker.answered(first + 1, "b", "2");
  tracker.give_up(first, 2, {"c"});
  tracker.reached(first + 1, 1);
  const std::vector<Replies> all = asked->wait(kTimeout);
  EXPECT_EQ(all.at(0).silent, 1u);
  EXPECT_THAT(all.at(0).missing, ::testing::ElementsAre("c"));
  EXPECT_EQ(all.at(1).silent, 0u);
  EXPECT_THAT(all.at(1).missing, IsEmpty());
}

TEST(RequestTracker, SaysWhenItWasNotKnownWhetherItGotOut) {
  RequestTracker tracker;
  const auto [first, asked] = tracker.open(1);
  EXPECT_NE(asked->wait(1ms).at(0).failure, "");
}

TEST(RequestTracker, CallsBackOnceAllAnswersAreThere) {
  RequestTracker tracker;
  std::atomic<int> one{0};
  std::atomic<int> both{0};
  const auto [first, asked_one] = tracker.open(1);
  const auto [second, asked_both] = tracker.open(2);
  asked_one->then(kTimeout, [&](const std::vector<Replies>& all) {
    EXPECT_EQ(all.at(0).answers.at(0).bytes, "1");
    ++one;
  });
  asked_both->then(kTimeout, [&](const std::vector<Replies>& all) {
    EXPECT_THAT(all, SizeIs(2));
    ++both;
  });
  tracker.reached(first, 1);
  tracker.answered(first, "b", "1");
  tracker.reached(second, 1);
  tracker.answered(second, "b", "2");
  tracker.run_ready();
  EXPECT_TRUE(eventually([&] { return one == 1; }));
  EXPECT_EQ(both, 0);
  tracker.reached(second + 1, 0);
  tracker.run_ready();
  EXPECT_TRUE(eventually([&] { return both == 1; }));
  tracker.run_ready();
  EXPECT_EQ(one, 1);
  EXPECT_EQ(both, 1);
}

TEST(RequestTracker, CallsBackWhenPatienceIsOverTheShorterOneFirst) {
  ManualClock clock;
  RequestTracker tracker(clock);
  std::atomic<int> called{0};
  std::atomic<bool> long_one{false};
  const auto [one, asked_one] = tracker.open(1);
  const auto [two, asked_two] = tracker.open(1);
  asked_one->then(std::chrono::hours(1), [&](const std::vector<Replies>&) { long_one = true; });
  tracker.reached(two, 3);
  asked_two->then(50ms, [&](const std::vector<Replies>& all) {
    EXPECT_EQ(all.at(0).silent, 3u);
    ++called;
  });
  // The watcher waits for the nearer deadline.
  ASSERT_TRUE(eventually([&] { return clock.next_deadline() == clock.steady_now() + 50ms; }));
  EXPECT_EQ(called, 0);
  ASSERT_TRUE(clock.advance_until(10ms, [&] { return called == 1; }));
  EXPECT_FALSE(long_one);
  tracker.failed(one, "gone");
  tracker.run_ready();
  EXPECT_TRUE(eventually([&] { return long_one.load(); }));
  // Again, when nothing had been waited for.
  const auto [three, asked_three] = tracker.open(1);
  asked_three->then(50ms, [&](const std::vector<Replies>&) { ++called; });
  ASSERT_TRUE(clock.advance_until(10ms, [&] { return called == 2; }));
}

// Answers, ends of patience and the end of all race; each is called exactly once.
TEST(RequestTracker, CallsBackOnceWhateverComesFirst) {
  std::atomic<int> called{0};
  constexpr int kCalls = 2000;
  {
    RequestTracker tracker;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kCalls / 2; ++i) {
          const auto [number, asked] = tracker.open(1);
          tracker.reached(number, 1);
          asked->then(std::chrono::milliseconds(i % 4), [&](const std::vector<Replies>&) { ++called; });
          if (i % 3 != 0) tracker.answered(number, "b", "");
          tracker.run_ready();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(called, kCalls);
}

}  // namespace
}  // namespace sse::cluster
