#include "admin/event_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace sse::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

application::ActivityEventRef event(std::uint64_t sequence) {
  auto made = std::make_shared<application::ActivityEvent>();
  made->sequence = sequence;
  return made;
}

std::vector<std::string> taken(EventOrder& order) {
  std::vector<std::string> all;
  for (const EventOrder::Entry& entry : order.take()) {
    all.push_back(entry.activity ? std::to_string(entry.activity->sequence) : "missed " + std::to_string(entry.missed));
  }
  return all;
}

TEST(EventOrder, HoldsAnEventBackUntilThoseBeforeItHaveCome) {
  EventOrder order;
  order.start(4);
  order.add(event(6));
  EXPECT_THAT(taken(order), IsEmpty());
  order.add(event(7));
  order.add(event(5));
  EXPECT_THAT(taken(order), ElementsAre("5", "6", "7"));
}

TEST(EventOrder, IgnoresEventsFromBeforeItBegan) {
  EventOrder order;
  order.start(4);
  order.add(event(3));
  order.add(event(4));
  order.skip(2);
  EXPECT_THAT(taken(order), IsEmpty());
}

TEST(EventOrder, TellsWhereSkippedEventsWere) {
  EventOrder order;
  order.start(0);
  order.add(event(3));
  order.skip(1);
  order.skip(2);
  order.add(event(4));
  EXPECT_THAT(taken(order), ElementsAre("missed 1", "missed 1", "3", "4"));
}

TEST(EventOrder, GivesUpAnEventThatDoesNotComeWhenTooManyWaitForIt) {
  EventOrder order;
  order.start(0);
  for (std::uint64_t i = 2; i <= EventOrder::kMaxWaiting + 1; ++i) order.add(event(i));
  EXPECT_THAT(order.take(), IsEmpty());
  order.add(event(EventOrder::kMaxWaiting + 2));
  const auto entries = order.take();
  ASSERT_EQ(entries.size(), EventOrder::kMaxWaiting + 2);
  EXPECT_EQ(entries[0].missed, 1U);
  EXPECT_EQ(entries[1].activity->sequence, 2U);
}

}  // namespace
}  // namespace sse::admin
