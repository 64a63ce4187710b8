#include "hub/recent_confirmations.h"

#include <gtest/gtest.h>

namespace sse::hub {
namespace {

TEST(RecentConfirmations, SortsThemByTheirStream) {
  RecentConfirmations recent;
  recent.add(ConnectionId(2), MessageId(5));
  recent.add(ConnectionId(1), MessageId(7));
  recent.add(ConnectionId(1), MessageId(6));
  const std::vector<RecentConfirmations::Entry> wanted{
      {ConnectionId(1), MessageId(6)}, {ConnectionId(1), MessageId(7)}, {ConnectionId(2), MessageId(5)}};
  EXPECT_EQ(recent.sorted(), wanted);
}

TEST(RecentConfirmations, KeepsTheNewest) {
  RecentConfirmations recent;
  constexpr std::size_t kAll = 2 * RecentConfirmations::kMaxKept + 10;
  for (std::size_t i = 1; i <= kAll; ++i) recent.add(ConnectionId(1), MessageId(i));
  const std::vector<RecentConfirmations::Entry> kept = recent.sorted();
  EXPECT_EQ(kept.size(), RecentConfirmations::kMaxKept);
  EXPECT_EQ(kept.front().message, MessageId(kAll - RecentConfirmations::kMaxKept + 1));
  EXPECT_EQ(kept.back().message, MessageId(kAll));
}

}  // namespace
}  // namespace sse::hub
