#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "load/order_check.h"

namespace sse::load {
namespace {

using Verdict = OrderCheck::Verdict;

TEST(OrderCheck, TellsLateFromDoubled) {
  OrderCheck check;
  EXPECT_EQ(check.see(0, 0), Verdict::kInOrder);
  EXPECT_EQ(check.see(0, 0), Verdict::kDuplicate);
  EXPECT_EQ(check.see(0, 3), Verdict::kInOrder);
  EXPECT_EQ(check.see(0, 2), Verdict::kLate);
  EXPECT_EQ(check.see(0, 2), Verdict::kDuplicate);
  EXPECT_EQ(check.see(0, 1), Verdict::kLate);
  EXPECT_EQ(check.see(0, 1), Verdict::kDuplicate);
  EXPECT_EQ(check.see(0, 4), Verdict::kInOrder);
}

TEST(OrderCheck, KeepsSendersApart) {
  OrderCheck check;
  EXPECT_EQ(check.see(7, 0), Verdict::kInOrder);
  EXPECT_EQ(check.see(0, 0), Verdict::kInOrder);
  EXPECT_EQ(check.see(7, 1), Verdict::kInOrder);
  EXPECT_EQ(check.see(0, 0), Verdict::kDuplicate);
}

TEST(OrderCheck, AgreesWithASetOfAllSeen) {
  std::mt19937 random(3);
  OrderCheck check;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t sequence = random() % 500 + static_cast<std::uint64_t>(i) / 10;
    const Verdict expected = seen.contains(sequence)                      ? Verdict::kDuplicate
                             : !seen.empty() && sequence < *seen.rbegin() ? Verdict::kLate
                                                                          : Verdict::kInOrder;
    ASSERT_EQ(check.see(0, sequence), expected) << "step " << i << ", number " << sequence;
    seen.insert(sequence);
  }
}

}  // namespace
}  // namespace sse::load
