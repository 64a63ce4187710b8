#include "net/byte_budget.h"

#include <gtest/gtest.h>

#include <utility>

namespace sse::net {
namespace {

TEST(ByteBudgetTest, GivesNoMoreThanThereIsAndTakesItBack) {
  ByteBudget budget(ByteCount(100), "--some-option");
  ByteBudget::Share first(&budget);
  EXPECT_TRUE(first.raise_to(60));
  EXPECT_TRUE(first.raise_to(10)) << "it has that already";
  EXPECT_EQ(budget.used(), 60U);
  {
    ByteBudget::Share second(&budget);
    EXPECT_FALSE(second.raise_to(41));
    EXPECT_TRUE(second.raise_to(40));
    EXPECT_FALSE(first.raise_to(61));
    ByteBudget::Share moved = std::move(second);
    EXPECT_EQ(budget.used(), 100U);
  }
  EXPECT_EQ(budget.used(), 60U);
  EXPECT_TRUE(first.raise_to(100));
  first.release();
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_FALSE(first.raise_to(101));
}

TEST(ByteBudgetTest, IsWithoutBoundWhereThereIsNone) {
  ByteBudget::Share share(nullptr);
  EXPECT_TRUE(share.raise_to(1ULL << 60));
  share.release();
}

}  // namespace
}  // namespace sse::net
