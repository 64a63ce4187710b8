#include "base/manual_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/ids.h"

namespace sse {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Clock, TheSystemsMovesByItself) {
  const Clock& clock = Clock::system();
  const SteadyTime begin = clock.steady_now();
  clock.sleep_for(milliseconds(2));
  EXPECT_GE(clock.steady_now() - begin, milliseconds(2));
  EXPECT_GT(clock.wall_now(), ManualClock::kStart - hours(24 * 365));
  EXPECT_EQ(clock.on_move([] {}), nullptr);
}

TEST(Clock, TheSystemsSaysHowLongToWait) {
  const Clock& clock = Clock::system();
  EXPECT_EQ(clock.wait_time(clock.steady_now() - seconds(1)), milliseconds(0));
  EXPECT_LE(clock.wait_time(clock.steady_now() + milliseconds(1500)), milliseconds(1500));
  EXPECT_GT(clock.wait_time(clock.steady_now() + milliseconds(1500)), milliseconds(0));
  EXPECT_LE(clock.wait_time(SteadyTime::max()), hours(24));
}

TEST(Clock, AWaitByTheSystemsClockEndsAtItsDeadline) {
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  const SteadyTime deadline = steady_now() + milliseconds(5);
  while (changed.wait_until(mutex, deadline)) {
  }
  EXPECT_GE(steady_now(), deadline);
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock;
  const SteadyTime begin = clock.steady_now();
  EXPECT_EQ(clock.wall_now(), ManualClock::kStart);
  EXPECT_GT(begin, SteadyTime{});
  clock.advance(hours(5));
  EXPECT_EQ(clock.wall_now(), ManualClock::kStart + hours(5));
  EXPECT_EQ(clock.steady_now(), begin + hours(5));
}

TEST(ManualClock, CivilTimeMayJumpWithoutTheDeadlinesComingNearer) {
  ManualClock clock;
  const SteadyTime begin = clock.steady_now();
  clock.set_wall(ManualClock::kStart - hours(1));
  EXPECT_EQ(clock.wall_now(), ManualClock::kStart - hours(1));
  EXPECT_EQ(clock.steady_now(), begin);
}

TEST(ManualClock, DrivesTheIdsThatAreMadeByIt) {
  ManualClock clock;
  IdGenerator ids(7, 0, clock);
  const std::uint64_t first = ids.next();
  EXPECT_EQ(IdGenerator::time_of(first), ManualClock::kStart);
  clock.advance(minutes(5));
  const std::uint64_t second = ids.next();
  EXPECT_EQ(IdGenerator::time_of(second), ManualClock::kStart + minutes(5));
  clock.set_wall(ManualClock::kStart);
  EXPECT_GT(ids.next(), second);
}

// A thread that waits for a moment, and what it found.
class Waiter {
 public:
  Waiter(ManualClock& clock, SteadyTime deadline)
      : thread_([this, &clock, deadline] {
          const MutexLock lock(mutex_);
          while (!notified_ && changed_.wait_until(mutex_, deadline, clock)) {
          }
          in_time_ = notified_;
          ended_ = true;
        }) {}
  ~Waiter() { thread_.join(); }
  void notify() {
    const MutexLock lock(mutex_);
    notified_ = true;
    changed_.notify_one();
  }
  bool ended() const { return ended_; }
  bool in_time() const { return in_time_; }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool notified_ = false;
  std::atomic<bool> in_time_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

TEST(ManualClock, AMoveEndsTheWaitsThatAreDueAndNoOthers) {
  ManualClock clock;
  const SteadyTime begin = clock.steady_now();
  Waiter early(clock, begin + seconds(10));
  Waiter late(clock, begin + hours(1));
  ASSERT_TRUE(clock.wait_for_sleepers(2));
  EXPECT_EQ(clock.next_deadline(), begin + seconds(10));
  clock.advance(milliseconds(9999));
  EXPECT_EQ(clock.sleepers(), 2U);
  clock.advance(milliseconds(1));
  // advance() returns when what was due is awake.
  EXPECT_EQ(clock.sleepers(), 1U);
  EXPECT_EQ(clock.next_deadline(), begin + hours(1));
  EXPECT_FALSE(late.ended());
  clock.advance(hours(1));
  EXPECT_EQ(clock.sleepers(), 0U);
  EXPECT_EQ(clock.next_deadline(), std::nullopt);
  EXPECT_FALSE(early.in_time());
  EXPECT_FALSE(late.in_time());
}

TEST(ManualClock, ANotificationEndsAWaitWithoutAMove) {
  ManualClock clock;
  {
    Waiter waiter(clock, clock.steady_now() + hours(1));
    ASSERT_TRUE(clock.wait_for_sleepers(1));
    waiter.notify();
    EXPECT_TRUE(clock.advance_until(milliseconds(0), [&] { return waiter.ended(); }));
    EXPECT_TRUE(waiter.in_time());
  }
  EXPECT_EQ(clock.sleepers(), 0U);
}

TEST(ManualClock, AWaitForWhatHasPassedReturnsAtOnce) {
  ManualClock clock;
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  EXPECT_FALSE(changed.wait_until(mutex, clock.steady_now(), clock));
  EXPECT_FALSE(changed.wait_until(mutex, SteadyTime{}, clock));
  clock.sleep_for(milliseconds(0));
}

TEST(ManualClock, NoWaitMissesAMoveHoweverTheyMeet) {
  // The wait begins while the clock is being moved past its deadline, again and again.
  ManualClock clock;
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) clock.sleep_for(milliseconds(1));
      ++done;
    });
  }
  EXPECT_TRUE(clock.advance_until(milliseconds(1), [&] { return done == kThreads; }));
  for (std::thread& thread : threads) thread.join();
}

TEST(ManualClock, TellsWhoWantsToKnowOfAMoveUntilTheyGo) {
  ManualClock clock;
  int first = 0;
  int second = 0;
  std::shared_ptr<void> registered = clock.on_move([&] { ++first; });
  const std::shared_ptr<void> stays = clock.on_move([&] { ++second; });
  clock.advance(seconds(1));
  clock.set_wall(ManualClock::kStart);
  EXPECT_EQ(first, 2);
  registered.reset();
  clock.advance(seconds(1));
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 3);
}

TEST(ManualClock, SaysWhetherAMomentHasCome) {
  ManualClock clock;
  const SteadyTime due = clock.steady_now() + seconds(3);
  EXPECT_GT(clock.wait_time(due), milliseconds(0));
  clock.advance(seconds(3));
  EXPECT_EQ(clock.wait_time(due), milliseconds(0));
}

TEST(ManualClock, TwoDoNotShareTheirTime) {
  ManualClock one;
  ManualClock other(ManualClock::kStart + minutes(5));
  one.advance(hours(1));
  EXPECT_EQ(other.wall_now(), ManualClock::kStart + minutes(5));
  EXPECT_EQ(one.wall_now() - other.wall_now(), minutes(55));
}

}  // namespace
}  // namespace sse
