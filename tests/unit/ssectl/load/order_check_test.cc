#include "ssectl/load/order_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace sse::load {
namespace {

using Result = OrderCheck::Result;

TEST(OrderCheck, TellsLateFromDoubled) {
  OrderCheck check;
  EXPECT_EQ(check.record(0, 0), Result::kInOrder);
  EXPECT_EQ(check.record(0, 0), Result::kDuplicate);
  EXPECT_EQ(check.record(0, 3), Result::kInOrder);
  EXPECT_EQ(check.record(0, 2), Result::kLate);
  EXPECT_EQ(check.record(0, 2), Result::kDuplicate);
  EXPECT_EQ(check.record(0, 1), Result::kLate);
  EXPECT_EQ(check.record(0, 1), Result::kDuplicate);
  EXPECT_EQ(check.record(0, 4), Result::kInOrder);
}

TEST(OrderCheck, KeepsSendersApart) {
  OrderCheck check;
  EXPECT_EQ(check.record(7, 0), Result::kInOrder);
  EXPECT_EQ(check.record(0, 0), Result::kInOrder);
  EXPECT_EQ(check.record(7, 1), Result::kInOrder);
  EXPECT_EQ(check.record(0, 0), Result::kDuplicate);
}

TEST(OrderCheck, AgreesWithASetOfAllSeen) {
  std::mt19937 random(3);
  OrderCheck check;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t sequence = random() % 500 + static_cast<std::uint64_t>(i) / 10;
    const Result expected = seen.contains(sequence)                      ? Result::kDuplicate
                            : !seen.empty() && sequence < *seen.rbegin() ? Result::kLate
                                                                         : Result::kInOrder;
    ASSERT_EQ(check.record(0, sequence), expected) << "step " << i << ", number " << sequence;
    seen.insert(sequence);
  }
}

}  // namespace
}  // namespace sse::load
