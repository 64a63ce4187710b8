#include "net/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::eventually;

TEST(EventLoop, OutlivesTasksTimersEventsAndHooksThatThrow) {
  struct Careless final : EventLoop::Handler {
    void on_events(std::uint32_t) override {
      ++events;
      loop->remove(fd);
      throw std::runtime_error("an event's defect");
    }
    EventLoop* loop = nullptr;
    int fd = -1;
    std::atomic<int> events{0};
  };
  EventLoop loop("test");
  const UniqueFd event(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  Careless handler;
  handler.loop = &loop;
  handler.fd = event.get();
  std::atomic<int> timers{0};
  std::atomic<bool> ran{false};
  loop.at_turn_end([] { throw std::runtime_error("a hook's defect"); });
  loop.run_every(milliseconds(1), [&] {
    ++timers;
    throw std::runtime_error("a timer's defect");
  });
  loop.add(event.get(), EPOLLIN, &handler);
  loop.start();
  loop.post([] { throw std::runtime_error("a task's defect"); });
  loop.post([&] { ran = true; });
  EXPECT_TRUE(eventually([&] { return ran && timers > 2 && handler.events > 0; }));
  loop.stop();
  EXPECT_EQ(handler.events, 1);
}

TEST(EventLoop, RunsEveryTaskPostedFromManyThreads) {
  EventLoop loop("test");
  loop.start();
  constexpr int kThreads = 8;
  constexpr int kTasks = 5000;
  std::vector<int> last(kThreads, -1);  // loop thread only
  int out_of_order = 0;
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop.post([&, t, i] {
          if (last[static_cast<std::size_t>(t)] != i - 1) ++out_of_order;
          last[static_cast<std::size_t>(t)] = i;
          ++ran;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop.stop();
  EXPECT_EQ(ran, kThreads * kTasks);
  EXPECT_EQ(out_of_order, 0);
}

TEST(EventLoop, RunsWhatWasPostedBeforeItStarted) {
  EventLoop loop("test");
  std::promise<bool> ran;
  loop.post([&] { ran.set_value(loop.in_loop_thread()); });
  EXPECT_FALSE(loop.in_loop_thread());
  loop.start();
  EXPECT_TRUE(ran.get_future().get());
  loop.stop();
}

TEST(EventLoop, RunsWhatATaskPosts) {
  EventLoop loop("test");
  loop.start();
  std::promise<void> ran;
  loop.post([&] { loop.post([&] { ran.set_value(); }); });
  EXPECT_EQ(ran.get_future().wait_for(testing::kSocketTimeout), std::future_status::ready);
  loop.stop();
}

TEST(EventLoop, DestroysTasksThatNeverRan) {
  const auto held = std::make_shared<int>(0);
  {
    EventLoop loop("test");
    loop.start();
    loop.stop();
    loop.stop();
    loop.post([held] { FAIL() << "ran after stop()"; });
    EXPECT_EQ(held.use_count(), 1);
  }
  EXPECT_EQ(held.use_count(), 1);
}

// Returns when the loop has been through everything that was due before the call.
void settle(EventLoop& loop) {
  // A turn runs its tasks before its timers: the second task shows that the first one's turn has ended.
  for (int i = 0; i < 2; ++i) {
    std::promise<void> ran;
    loop.post([&] { ran.set_value(); });
    ran.get_future().wait();
  }
}

TEST(EventLoop, RunsTimersInTheOrderTheyAreDue) {
  ManualClock clock;
  EventLoop loop("test", clock);
  std::vector<int> order;  // loop thread only, or while it is settled
  loop.run_after(milliseconds(30), [&] { order.push_back(3); });
  loop.run_after(milliseconds(10), [&] { order.push_back(1); });
  loop.run_after(milliseconds(20), [&] { order.push_back(2); });
  loop.start();
  clock.advance(milliseconds(9));
  settle(loop);
  EXPECT_THAT(order, ElementsAre());
  clock.advance(milliseconds(1));
  settle(loop);
  EXPECT_THAT(order, ElementsAre(1));
  clock.advance(hours(1));
  settle(loop);
  loop.stop();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(EventLoop, AMoveOfItsClockWakesIt) {
  ManualClock clock;
  EventLoop loop("test", clock);
  std::promise<SteadyTime> ran;
  const SteadyTime begin = clock.steady_now();
  loop.run_after(hours(10), [&] { ran.set_value(loop.now()); });
  loop.start();
  settle(loop);
  clock.advance(hours(10));
  auto result = ran.get_future();
  ASSERT_EQ(result.wait_for(testing::kSocketTimeout), std::future_status::ready);
  EXPECT_EQ(result.get(), begin + hours(10));
  loop.stop();
}

TEST(EventLoop, TwoLoopsMayHaveTheirOwnClocks) {
  ManualClock fast;
  ManualClock slow;
  EventLoop one("fast", fast);
  EventLoop other("slow", slow);
  std::atomic<bool> one_ran{false};
  std::atomic<bool> other_ran{false};
  one.run_after(seconds(1), [&] { one_ran = true; });
  other.run_after(seconds(1), [&] { other_ran = true; });
  one.start();
  other.start();
  fast.advance(minutes(5));
  settle(one);
  settle(other);
  EXPECT_TRUE(one_ran);
  EXPECT_FALSE(other_ran);
  one.stop();
  other.stop();
}

TEST(EventLoop, RunsATimerByTheSystemsClock) {
  EventLoop loop("test");
  std::promise<void> ran;
  const SteadyTime begin = steady_now();
  loop.run_after(milliseconds(5), [&] { ran.set_value(); });
  loop.start();
  ran.get_future().wait();
  EXPECT_GE(steady_now() - begin, milliseconds(5));
  loop.stop();
}

TEST(EventLoop, RunsTimersOfOneMomentInTheOrderTheyWereMade) {
  ManualClock clock;
  EventLoop loop("test", clock);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) loop.run_after(milliseconds(i == 0 ? 0 : 1), [&order, i] { order.push_back(i); });
  loop.start();
  clock.advance(milliseconds(1));
  settle(loop);
  loop.stop();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST(EventLoop, DoesNotRunACancelledTimer) {
  ManualClock clock;
  EventLoop loop("test", clock);
  std::atomic<bool> ran{false};
  const EventLoop::TimerId timer = loop.run_after(milliseconds(1), [&] { ran = true; });
  loop.cancel(timer);
  loop.start();
  clock.advance(hours(1));
  settle(loop);
  loop.stop();
  EXPECT_FALSE(ran);
}

TEST(EventLoop, CancelsAnotherTimerThatIsDueInTheSameTurn) {
  ManualClock clock;
  EventLoop loop("test", clock);
  bool ran = false;
  EventLoop::TimerId second;
  loop.run_after(milliseconds(1), [&] { loop.cancel(second); });
  second = loop.run_after(milliseconds(1), [&] { ran = true; });
  loop.start();
  clock.advance(milliseconds(1));
  settle(loop);
  loop.stop();
  EXPECT_FALSE(ran);
}

TEST(EventLoop, RepeatsWhatIsToRunEvery) {
  ManualClock clock;
  EventLoop loop("test", clock);
  int times = 0;
  loop.run_every(seconds(1), [&] { ++times; });
  loop.start();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(times, i);
    clock.advance(seconds(1));
    settle(loop);
  }
  loop.stop();
  EXPECT_EQ(times, 5);
}

TEST(EventLoop, EndsATurnOnceForAllItsTasks) {
  // Of which no time passes, so that the turn has time for all.
  ManualClock clock;
  EventLoop loop("test", clock);
  std::atomic<int> tasks{0};
  std::atomic<int> turns_with_all{0};
  loop.at_turn_end([&] {
    if (tasks == 100) ++turns_with_all;
    if (tasks != 0 && tasks != 100) ADD_FAILURE() << "a turn ended after " << tasks << " tasks";
  });
  // All in the inbox before the loop looks.
  for (int i = 0; i < 100; ++i) loop.post([&] { ++tasks; });
  loop.start();
  EXPECT_TRUE(eventually([&] { return turns_with_all >= 1; }));
  loop.stop();
}

struct Recorder : EventLoop::Handler {
  void on_events(std::uint32_t events) override { seen |= events; }
  std::atomic<std::uint32_t> seen{0};
};

TEST(EventLoop, TellsAHandlerOfItsDescriptorUntilItIsRemoved) {
  EventLoop loop("test");
  const UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Recorder handler;
  loop.add(fd.get(), EPOLLIN | EPOLLET, &handler);
  loop.start();
  ASSERT_EQ(eventfd_write(fd.get(), 1), 0);
  EXPECT_TRUE(eventually([&] { return (handler.seen & EPOLLIN) != 0; }));
  loop.modify(fd.get(), EPOLLOUT | EPOLLET, &handler);
  EXPECT_TRUE(eventually([&] { return (handler.seen & EPOLLOUT) != 0; }));
  loop.remove(fd.get());
  std::promise<void> flushed;
  loop.post([&] {
    handler.seen = 0;
    flushed.set_value();
  });
  flushed.get_future().wait();
  ASSERT_EQ(eventfd_write(fd.get(), 1), 0);
  loop.stop();
  EXPECT_EQ(handler.seen, 0U);
}

TEST(EventLoop, RefusesADescriptorThatCannotBeWatched) {
  EventLoop loop("test");
  EXPECT_THROW(loop.add(-1, EPOLLIN, nullptr), Error);
}

ErrorCode refusal_of_a_wait(const EventLoop& loop) {
  try {
    loop.check_may_wait();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "not refused";
  return {};
}

TEST(EventLoop, RefusesToBeWaitedForUnlessItRuns) {
  EventLoop loop("test");
  EXPECT_EQ(refusal_of_a_wait(loop), ErrorCode::kUnavailable);
  loop.start();
  EXPECT_NO_THROW(loop.check_may_wait());
  loop.stop();
  EXPECT_EQ(refusal_of_a_wait(loop), ErrorCode::kUnavailable);
}

TEST(EventLoop, RefusesToBeWaitedForByALoop) {
  EventLoop loop("test");
  EventLoop other("other");
  loop.start();
  other.start();
  for (EventLoop* caller : {&loop, &other}) {
    std::promise<ErrorCode> refused;
    caller->post([&] { refused.set_value(refusal_of_a_wait(loop)); });
    EXPECT_EQ(refused.get_future().get(), ErrorCode::kInternal);
  }
}

TEST(EventLoopDeathTest, ATouchFromAnotherThreadIsADefect) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEBUG_DEATH(
      {
        const EventLoop loop("mine");
        loop.assert_in_loop_thread();
      },
      "loop 'mine' touched from another thread");
}

}  // namespace
}  // namespace sse::net
