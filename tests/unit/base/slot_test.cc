#include "base/slot.h"

#include <gtest/gtest.h>

#include <optional>

namespace sse {
namespace {

TEST(Slot, IsToBeHadOnlySoOftenAtATimeAndGivenBack) {
  std::atomic<std::size_t> taken{0};
  std::optional<Slot> first(std::in_place, taken, 2);
  const Slot second(taken, 2);
  EXPECT_TRUE(*first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(Slot(taken, 2));
  first.reset();
  EXPECT_TRUE(Slot(taken, 2));
  EXPECT_EQ(taken, 1U);
}

}  // namespace
}  // namespace sse
