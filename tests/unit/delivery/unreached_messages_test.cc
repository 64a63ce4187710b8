#include "delivery/unreached_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sse::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<MessageId> ids(std::uint64_t first, std::uint64_t last) {
  std::vector<MessageId> all;
  for (std::uint64_t id = first; id <= last; ++id) all.emplace_back(id);
  return all;
}

constexpr SteadyTime kBegin{std::chrono::hours(1)};
constexpr SteadyTime kDue = kBegin + UnreachedMessages::kDelay;

TEST(UnreachedMessages, ReturnsTheOldestThatAreDueAscendingAndOnce) {
  UnreachedMessages messages;
  EXPECT_FALSE(messages.due(kDue));
  messages.add(ids(7, 7), kBegin);
  messages.add(ids(3, 4), kBegin);
  messages.add(ids(3, 3), kBegin);
  messages.add(ids(1, 1), kBegin + std::chrono::seconds(1));
  EXPECT_FALSE(messages.due(kDue - std::chrono::milliseconds(1)));
  EXPECT_THAT(messages.take(9, kDue - std::chrono::milliseconds(1)), IsEmpty());
  EXPECT_TRUE(messages.due(kDue));
  EXPECT_THAT(messages.take(2, kDue), ElementsAre(MessageId(3), MessageId(7)));
  EXPECT_THAT(messages.take(9, kDue), ElementsAre(MessageId(3), MessageId(4)));
  EXPECT_THAT(messages.take(9, kDue), IsEmpty());
  EXPECT_THAT(messages.take(9, kDue + std::chrono::seconds(1)), ElementsAre(MessageId(1)));
}

TEST(UnreachedMessages, IsBoundedAndDropsTheOldest) {
  UnreachedMessages messages;
  messages.add(ids(1, UnreachedMessages::kMax + 2), kBegin);
  EXPECT_EQ(messages.take(1, kDue).front(), MessageId(3));
  EXPECT_EQ(messages.take(2 * UnreachedMessages::kMax, kDue).size(), UnreachedMessages::kMax - 1);
  EXPECT_FALSE(messages.due(kDue));
}

}  // namespace
}  // namespace sse::delivery
