#include "net/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "support/eventually.h"

namespace sse::net {
namespace {

using testing::eventually;

// A door that tasks wait behind.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [&] { return open_; });
  }
  void open() {
    {
      const std::scoped_lock lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }
  int waiting() {
    const std::scoped_lock lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST(WorkerPool, StartsNoThreadBeforeThereIsWork) {
  const WorkerPool pool("test", 2, 4, 10);
  EXPECT_EQ(pool.threads(), 0U);
}

TEST(WorkerPool, GrowsWhileWorkWaitsAndNotPastItsMost) {
  Gate gate;
  std::atomic<int> ran{0};
  WorkerPool pool("test", 0, 3, 100);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(pool.submit([&] {
      gate.wait();
      ++ran;
    }));
  }
  EXPECT_TRUE(eventually([&] { return gate.waiting() == 3; }));
  EXPECT_EQ(pool.threads(), 3U);
  gate.open();
  EXPECT_TRUE(eventually([&] { return ran == 10; }));
}

TEST(WorkerPool, ReusesAnIdleThread) {
  const ManualClock clock;
  WorkerPool pool("test", 0, 8, 100, std::chrono::hours(1), clock);
  for (int i = 0; i < 50; ++i) {
    std::atomic<bool> ran{false};
    ASSERT_TRUE(pool.submit([&] { ran = true; }));
    ASSERT_TRUE(eventually([&] { return ran.load(); }));
    // The thread is idle a moment after its task.
    ASSERT_TRUE(clock.wait_for_sleepers(1));
  }
  EXPECT_EQ(pool.threads(), 1U);
}

TEST(WorkerPool, ShrinksToItsLeastWhenThereIsNothingToDo) {
  Gate gate;
  ManualClock clock;
  WorkerPool pool("test", 1, 4, 100, std::chrono::hours(1), clock);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.submit([&] { gate.wait(); }));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 4; }));
  gate.open();
  ASSERT_TRUE(clock.wait_for_sleepers(4));
  EXPECT_EQ(pool.threads(), 4U);
  clock.advance(std::chrono::hours(1));
  EXPECT_TRUE(eventually([&] { return pool.threads() == 1; }));
  std::atomic<bool> ran{false};
  EXPECT_TRUE(pool.submit([&] { ran = true; }));
  EXPECT_TRUE(eventually([&] { return ran.load(); }));
}

TEST(WorkerPool, ShrinksWhileTasksTrickleIn) {
  Gate gate;
  ManualClock clock;
  WorkerPool pool("test", 0, 8, 100, std::chrono::seconds(10), clock);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(pool.submit([&] { gate.wait(); }));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 8; }));
  gate.open();
  ASSERT_TRUE(clock.wait_for_sleepers(8));
  for (int second = 1; second <= 10; ++second) {
    std::atomic<bool> ran{false};
    ASSERT_TRUE(pool.submit([&] { ran = true; }));
    ASSERT_TRUE(eventually([&] { return ran.load(); }));
    ASSERT_TRUE(clock.wait_for_sleepers(8));
    clock.advance(std::chrono::seconds(1));
  }
  EXPECT_TRUE(eventually([&] { return pool.threads() == 1; }));
}

TEST(WorkerPool, WorksOnAfterAllItsThreadsHaveEnded) {
  WorkerPool pool("test", 0, 2, 100, std::chrono::milliseconds(1));
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> ran{false};
    ASSERT_TRUE(pool.submit([&] { ran = true; }));
    ASSERT_TRUE(eventually([&] { return ran && pool.threads() == 0; }));
  }
}

TEST(WorkerPool, RefusesWhatItsQueueCannotHoldAndDestroysIt) {
  Gate gate;
  WorkerPool pool("test", 0, 1, 2);
  ASSERT_TRUE(pool.submit([&] { gate.wait(); }));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit([] {}));
  const auto held = std::make_shared<int>(0);
  EXPECT_FALSE(pool.submit([held] {}));
  EXPECT_EQ(held.use_count(), 1);
  gate.open();
}

TEST(WorkerPool, StopRunsWhatIsQueuedAndRefusesTheRest) {
  std::atomic<int> ran{0};
  WorkerPool pool("test", 1, 2, 1000);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(pool.submit([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 500);
  EXPECT_EQ(pool.threads(), 0U);
  EXPECT_FALSE(pool.submit([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 500);
}

TEST(WorkerPool, LosesNoWakeUpWithManySubmitters) {
  // Threads come and go all the time, and every task is waited for: a lost wake-up would hang.
  ManualClock clock;
  WorkerPool pool("test", 0, 4, 10'000, std::chrono::milliseconds(1), clock);
  std::atomic<int> ran{0};
  std::vector<std::thread> submitters;
  for (int t = 0; t < 8; ++t) {
    submitters.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        // Shared: the waiter may be gone while the notifier still is inside notify_one().
        const auto done = std::make_shared<std::atomic<bool>>(false);
        ASSERT_TRUE(pool.submit([&ran, done] {
          ++ran;
          done->store(true);
          done->notify_one();
        }));
        done->wait(false);
        if (i % 100 == 0) clock.advance(std::chrono::milliseconds(1));
      }
    });
  }
  for (std::thread& thread : submitters) thread.join();
  EXPECT_EQ(ran, 8 * 500);
}

TEST(WorkerPool, GoesOnAfterATaskThatThrows) {
  WorkerPool pool("test", 1, 1, 10);
  std::atomic<int> ran{0};
  struct Careless {
    std::atomic<int>* ran;
    void operator()() const { ++*ran, throw std::runtime_error("a task's defect"); }
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pool.submit(Careless{&ran}));
  ASSERT_TRUE(pool.submit([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 4);
}

}  // namespace
}  // namespace sse::net
