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

TEST(UnreachedMessages, ReturnsTheOldestAscendingAndOnce) {
  UnreachedMessages messages;
  EXPECT_TRUE(messages.empty());
  messages.add(ids(7, 7));
  messages.add(ids(3, 4));
  messages.add(ids(3, 3));
  EXPECT_THAT(messages.take(2), ElementsAre(MessageId(3), MessageId(7)));
  EXPECT_THAT(messages.take(9), ElementsAre(MessageId(3), MessageId(4)));
  EXPECT_THAT(messages.take(9), IsEmpty());
}

TEST(UnreachedMessages, IsBoundedAndDropsTheOldest) {
  UnreachedMessages messages;
  messages.add(ids(1, UnreachedMessages::kMax + 2));
  EXPECT_EQ(messages.take(1).front(), MessageId(3));
  EXPECT_EQ(messages.take(2 * UnreachedMessages::kMax).size(), UnreachedMessages::kMax - 1);
  EXPECT_TRUE(messages.empty());
}

}  // namespace
}  // namespace sse::delivery
