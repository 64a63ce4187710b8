#include "net/counted.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace sse::net {
namespace {

TEST(Counted, CountsTheOtherMembersThatLive) {
  const Counted first = Counted::first();
  EXPECT_EQ(first.others(), 0U);
  Counted second = first.another();
  {
    const Counted third = second.another();
    EXPECT_EQ(first.others(), 2U);
  }
  EXPECT_EQ(first.others(), 1U);
  second.reset();
  second.reset();
  EXPECT_EQ(first.others(), 0U);
}

TEST(Counted, IsCountedOnceWhereverItIsMoved) {
  const Counted first = Counted::first();
  Counted a = first.another();
  Counted b = std::move(a);
  EXPECT_EQ(first.others(), 1U);
  Counted c = first.another();
  c = std::move(b);
  EXPECT_EQ(first.others(), 1U);
  std::vector<Counted> all;
  all.push_back(std::move(c));
  all.emplace_back();
  EXPECT_EQ(first.others(), 1U);
  all.clear();
  EXPECT_EQ(first.others(), 0U);
}

TEST(Counted, OutlivesTheFirstMember) {
  Counted last;
  {
    const Counted first = Counted::first();
    last = first.another();
  }
  EXPECT_EQ(last.others(), 0U);
}

}  // namespace
}  // namespace sse::net
