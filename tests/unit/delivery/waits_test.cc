#include "delivery/waits.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"

namespace sse::delivery {
namespace {

using event::TargetKind;

const Recipient kOne{TargetKind::kUser, "1"};
const Recipient kTwo{TargetKind::kUser, "2"};

TEST(Waits, EndWhenAllHaveConfirmed) {
  Waits waits;
  Waits::Wait wait(waits, MessageId(5));
  waits.confirmed(TargetKind::kUser, "1", MessageId(5));
  std::thread later([&] { waits.confirmed(TargetKind::kUser, "2", MessageId(5)); });
  EXPECT_EQ(wait.until({kOne, kTwo}, steady_now() + std::chrono::minutes(5)).size(), 2U);
  later.join();
}

TEST(Waits, EndWhenTheirTimeIsOver) {
  Waits waits;
  Waits::Wait wait(waits, MessageId(5));
  waits.confirmed(TargetKind::kUser, "1", MessageId(5));
  waits.confirmed(TargetKind::kUser, "2", MessageId(6));
  EXPECT_EQ(wait.until({kOne, kTwo}, steady_now()), std::vector<Recipient>{kOne});
}

TEST(Waits, WaitByTheirClock) {
  ManualClock clock;
  Waits waits(clock);
  Waits::Wait wait(waits, MessageId(5));
  std::thread later([&] {
    EXPECT_TRUE(clock.wait_for_sleepers(1));
    clock.advance(std::chrono::minutes(5));
  });
  EXPECT_TRUE(wait.until({kOne}, clock.steady_now() + std::chrono::minutes(5)).empty());
  later.join();
}

TEST(Waits, EndWhenTheServerDoes) {
  Waits waits;
  Waits::Wait wait(waits, MessageId(5));
  std::thread later([&] { waits.cancel(); });
  EXPECT_TRUE(wait.until({kOne}, steady_now() + std::chrono::minutes(5)).empty());
  later.join();
  Waits::Wait another(waits, MessageId(6));
  EXPECT_TRUE(another.until({kOne}, steady_now() + std::chrono::minutes(5)).empty());
}

TEST(Waits, MaySeveralBeForOneMessage) {
  Waits waits;
  Waits::Wait one(waits, MessageId(5));
  {
    Waits::Wait two(waits, MessageId(5));
    waits.confirmed(TargetKind::kUser, "1", MessageId(5));
    EXPECT_EQ(two.until({kOne}, steady_now()).size(), 1U);
  }
  EXPECT_EQ(one.until({kOne}, steady_now()).size(), 1U);
}

}  // namespace
}  // namespace sse::delivery
