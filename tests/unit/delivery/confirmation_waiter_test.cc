#include "delivery/confirmation_waiter.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "base/step_count.h"

namespace sse::delivery {
namespace {

using event::TargetKind;

const store::Recipient kOne{TargetKind::kUser, "1"};
const store::Recipient kTwo{TargetKind::kUser, "2"};

TEST(ConfirmationWaiter, EndWhenAllHaveConfirmed) {
  ConfirmationWaiter waits;
  ConfirmationWaiter::Wait wait(waits, MessageId(5));
  waits.confirmed(TargetKind::kUser, "1", MessageId(5));
  std::thread later([&] { waits.confirmed(TargetKind::kUser, "2", MessageId(5)); });
  EXPECT_EQ(wait.until({kOne, kTwo}, steady_now() + std::chrono::minutes(5)).size(), 2U);
  later.join();
}

TEST(ConfirmationWaiter, EndWhenTheirTimeIsOver) {
  ConfirmationWaiter waits;
  ConfirmationWaiter::Wait wait(waits, MessageId(5));
  waits.confirmed(TargetKind::kUser, "1", MessageId(5));
  waits.confirmed(TargetKind::kUser, "2", MessageId(6));
  EXPECT_EQ(wait.until({kOne, kTwo}, steady_now()), std::vector<store::Recipient>{kOne});
}

TEST(ConfirmationWaiter, WaitByTheirClock) {
  ManualClock clock;
  ConfirmationWaiter waits(clock);
  ConfirmationWaiter::Wait wait(waits, MessageId(5));
  std::thread later([&] {
    EXPECT_TRUE(clock.wait_for_sleepers(1));
    clock.advance(std::chrono::minutes(5));
  });
  EXPECT_TRUE(wait.until({kOne}, clock.steady_now() + std::chrono::minutes(5)).empty());
  later.join();
}

TEST(ConfirmationWaiter, EndWhenTheServerDoes) {
  ConfirmationWaiter waits;
  ConfirmationWaiter::Wait wait(waits, MessageId(5));
  std::thread later([&] { waits.cancel(); });
  EXPECT_TRUE(wait.until({kOne}, steady_now() + std::chrono::minutes(5)).empty());
  later.join();
  ConfirmationWaiter::Wait another(waits, MessageId(6));
  EXPECT_TRUE(another.until({kOne}, steady_now() + std::chrono::minutes(5)).empty());
}

// So no caller has to wait there. What is reported can be asked for at once: no lock is held.
TEST(ConfirmationWaiter, AreReportedWhenTheLastHasConfirmed) {
  std::promise<std::size_t> reported;
  ConfirmationWaiter waits;
  std::optional<ConfirmationWaiter::Wait> wait;
  waits.report([&](MessageId message) {
    EXPECT_EQ(message, MessageId(5));
    reported.set_value(wait->until({kOne, kTwo}, SteadyTime::min()).size());
  });
  wait.emplace(waits, MessageId(5));
  EXPECT_TRUE(wait->until({kOne, kTwo}, SteadyTime::min()).empty());
  waits.confirmed(TargetKind::kUser, "1", MessageId(5));
  waits.confirmed(TargetKind::kUser, "2", MessageId(6));
  // Whoever takes it from the loops.
  EXPECT_EQ(wait->until({kOne, kTwo}, SteadyTime::min()), std::vector<store::Recipient>{kOne});
  waits.confirmed(TargetKind::kUser, "2", MessageId(5));
  EXPECT_EQ(reported.get_future().get(), 2U);
}

// As many recipients as a send may have.
TEST(ConfirmationWaiter, LookAtEachConfirmationOnce) {
  std::vector<std::uint64_t> steps;
  for (const std::size_t n : {5000U, 10'000U}) {
    ConfirmationWaiter waits;
    ConfirmationWaiter::Wait wait(waits, MessageId(5));
    std::vector<store::Recipient> recipients;
    for (std::size_t i = 0; i < n; ++i) recipients.push_back({TargetKind::kUser, std::to_string(i)});
    std::thread loop([&] {
      for (const store::Recipient& one : recipients) {
        waits.confirmed(one.kind, one.name, MessageId(6));
        waits.confirmed(one.kind, one.name, MessageId(5));
        waits.confirmed(one.kind, one.name, MessageId(5));
      }
    });
    const std::uint64_t before = steps_counted();
    EXPECT_EQ(wait.until(recipients, steady_now() + std::chrono::minutes(5)).size(), n);
    steps.push_back(steps_counted() - before);
    loop.join();
  }
  EXPECT_LE(steps[0], 5000 * 8U);
  EXPECT_LE(steps[1], 10'000 * 8U);
}

// Calls back whenever it is looked at.
class WatchedClock final : public Clock {
 public:
  explicit WatchedClock(std::function<void()> looked_at) : looked_at_(std::move(looked_at)) {}
  WallTime wall_now() const override { return system().wall_now(); }
  SteadyTime steady_now() const override {
    looked_at_();
    return system().steady_now();
  }
  std::chrono::milliseconds wait_time(SteadyTime deadline) const override { return system().wait_time(deadline); }
  std::shared_ptr<void> on_move(std::function<void()>) const override { return nullptr; }

 private:
  bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const override SSE_NO_ANALYSIS {
    return changed.wait_until_system(mutex, deadline);
  }
  const std::function<void()> looked_at_;
};

// Those who wait look at the clock under the lock: a loop must get past it.
TEST(ConfirmationWaiter, TakeNoLockWhereItIsConfirmed) {
  ConfirmationWaiter* confirmed = nullptr;
  const WatchedClock clock([&] { confirmed->confirmed(TargetKind::kUser, "1", MessageId(5)); });
  ConfirmationWaiter waits(clock);
  confirmed = &waits;
  ConfirmationWaiter::Wait wait(waits, MessageId(5));
  EXPECT_EQ(wait.until({kOne}, steady_now() + std::chrono::minutes(5)), std::vector<store::Recipient>{kOne});
}

TEST(ConfirmationWaiter, MaySeveralBeForOneMessage) {
  ConfirmationWaiter waits;
  ConfirmationWaiter::Wait one(waits, MessageId(5));
  {
    ConfirmationWaiter::Wait two(waits, MessageId(5));
    waits.confirmed(TargetKind::kUser, "1", MessageId(5));
    EXPECT_EQ(two.until({kOne}, steady_now()).size(), 1U);
  }
  EXPECT_EQ(one.until({kOne}, steady_now()).size(), 1U);
}

}  // namespace
}  // namespace sse::delivery
