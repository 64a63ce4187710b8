#include "hub/connection_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hub/connection_scan.h"
#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using ConnectionDirectoryTest = HubTest;

TEST_F(ConnectionDirectoryTest, RemembersWhyStreamsEnded) {
  start();
  const Page first = open({.user = "1", .tenant = "t"});
  Page second = open_user("2");
  EXPECT_THAT(hub_->directory().recently_closed(), IsEmpty());
  deliver(TargetKind::kUser, {"1"}, "one");
  hub_->close({first.id});
  second.client.close();
  ASSERT_TRUE(eventually([&] { return hub_->directory().recently_closed().size() == 2; }));
  auto closed = hub_->directory().recently_closed();
  if (closed[0].id == second.id) std::swap(closed[0], closed[1]);  // they may have ended in the same millisecond
  EXPECT_EQ(closed[0].id, first.id);
  EXPECT_EQ(closed[0].user.str(), "1");
  EXPECT_EQ(closed[0].tenant.str(), "t");
  EXPECT_EQ(closed[0].reason, net::CloseReason::kServerClosed);
  EXPECT_EQ(closed[0].messages, 3U);
  EXPECT_EQ(closed[0].backlog_bytes, 0U);
  EXPECT_GE(closed[0].closed, closed[0].created);
  EXPECT_EQ(closed[1].id, second.id);
  EXPECT_EQ(closed[1].reason, net::CloseReason::kClientClosed);
}

TEST_F(ConnectionDirectoryTest, KnowsWhatAllItsStreamsOwe) {
  options_.stream.max_backlog = 256 * 1024;
  start();
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  EXPECT_TRUE(eventually([&] { return hub_->directory().backlog_bytes() == 0; }));
  const std::string data(16 * 1024, 'x');
  while (hub_->directory().backlog_bytes() < 64 * 1024) deliver(TargetKind::kUser, {"1"}, data);
  EXPECT_TRUE(eventually(
      [&] { return hub_->directory().backlog_bytes() == hub_->directory().describe(slow.id)->backlog_bytes; }));
  // Over its cap it is closed, owes no more, and it can be seen what it owed.
  while (hub_->directory().connections() == 1) deliver(TargetKind::kUser, {"1"}, data);
  ASSERT_TRUE(eventually([&] { return hub_->directory().recently_closed().size() == 1; }));
  EXPECT_EQ(hub_->directory().recently_closed()[0].reason, net::CloseReason::kSlowConsumer);
  EXPECT_GT(hub_->directory().recently_closed()[0].backlog_bytes, 128U * 1024);
  EXPECT_LE(hub_->directory().recently_closed()[0].backlog_bytes, 256U * 1024);
  EXPECT_TRUE(eventually([&] { return hub_->directory().backlog_bytes() == 0; }));
}

TEST_F(ConnectionDirectoryTest, DescribesAConnection) {
  start();
  const Page page = open({.user = "u",
                          .tenant = "t",
                          .token = "k",
                          .channel = "c",
                          .listeners = {"b", "a"},
                          .query = "clientId=x",
                          .keepalive = milliseconds(60'000)});
  deliver(TargetKind::kUser, {"u"}, "one");
  ASSERT_TRUE(eventually([&] { return hub_->directory().describe(page.id)->backlog_bytes == 0; }));
  const auto info = hub_->directory().describe(page.id);
  EXPECT_EQ(info->identity.user.str(), "u");
  EXPECT_EQ(info->identity.tenant.str(), "t");
  EXPECT_EQ(info->identity.token.str(), "k");
  EXPECT_EQ(info->channel.str(), "c");
  EXPECT_THAT(info->listeners, ElementsAre("a", "b"));
  EXPECT_EQ(info->attributes.query, "clientId=x");
  EXPECT_EQ(info->keepalive, milliseconds(60'000));
  EXPECT_EQ(info->messages, 2U);
  EXPECT_GT(info->bytes_sent, 0U);
}

TEST_F(ConnectionDirectoryTest, FindsByWhatIsAsked) {
  start();
  const Page a = open({.user = "a", .tenant = "t", .token = "k1", .channel = "c", .query = "clientId=one"});
  const Page b = open({.user = "b", .tenant = "t", .listeners = {"news"}, .query = "clientId=two"});
  const Page none = open({});
  const auto find = [&](ConnectionFilter filter) { return hub::find(hub_->directory(), filter); };
  EXPECT_THAT(find({}), ElementsAre(a.id, b.id, none.id));
  EXPECT_THAT(find({.user = UserId("a")}), ElementsAre(a.id));
  EXPECT_THAT(find({.tenant = TenantId("t")}), ElementsAre(a.id, b.id));
  EXPECT_THAT(find({.user = UserId("a"),
                    .tenant = TenantId("t"),
                    .token = AccessToken("k1"),
                    .channel = ChannelName("c"),
                    .client = "one"}),
              ElementsAre(a.id));
  EXPECT_THAT(find({.user = UserId("a"), .tenant = TenantId("x")}), IsEmpty());
  EXPECT_THAT(find({.token = AccessToken("k1"), .channel = ChannelName("x")}), IsEmpty());
  EXPECT_THAT(find({.listening = "news"}), ElementsAre(b.id));
  EXPECT_THAT(find({.client = "two"}), ElementsAre(b.id));
  EXPECT_THAT(hub_->directory().describe({none.id, ConnectionId(1), a.id}), SizeIs(2));
  EXPECT_THAT(hub_->directory().names(TargetKind::kUser), ElementsAre("a", "b"));
  EXPECT_THAT(hub_->directory().names(TargetKind::kTenant), ElementsAre("t"));
}

// Fifty at a time of ten thousand sorted all of them two hundred times.
TEST_F(ConnectionDirectoryTest, ListsItsStreamsOnceForThoseWhoTakeThemInTurn) {
  start(2);
  std::vector<Page> pages;
  for (int i = 0; i < 100; ++i) pages.push_back(open_user(std::to_string(i)));
  ConnectionIterator turn(hub_->directory());
  const std::uint64_t before = steps();
  std::vector<ConnectionId> seen;
  while (seen.size() < pages.size()) {
    const std::vector<ConnectionId> some = turn.next(3);
    ASSERT_THAT(some, Not(IsEmpty()));
    seen.insert(seen.end(), some.begin(), some.end());
    EXPECT_EQ(hub_->close_for_reconnect(some, milliseconds(10)), some.size());
    EXPECT_EQ(hub_->close_for_reconnect(some, milliseconds(10)), 0U) << "they are on their way";
  }
  for (std::size_t i = 0; i < pages.size(); ++i) EXPECT_EQ(seen[i], pages[i].id) << "the oldest first";
  EXPECT_LE(steps() - before, 100 * 6U);
  EXPECT_THAT(turn.next(3), IsEmpty());
  const Page later = open_user("later");
  EXPECT_THAT(turn.next(3), ElementsAre(later.id));
}

TEST_F(ConnectionDirectoryTest, LocatesManyMessagesOfALargeGroupInOneLookAtIt) {
  start(2);
  std::vector<Page> pages;
  for (int i = 0; i < 40; ++i)
    pages.push_back(open({.user = std::to_string(i), .tenant = "t", .listeners = {"heard"}}));
  Page confirms = open({.user = "c", .tenant = "t", .marks = true});
  hub_->deliver({TargetKind::kTenant, {"t"}}, "news", frame("x", 7, TargetKind::kTenant));
  const auto cost = [&](std::uint64_t messages, std::vector<DeliveryState>& asked) {
    for (std::uint64_t id = 1; id <= messages; ++id) {
      const bool listening = id % 2 == 0;
      asked.push_back({TargetKind::kTenant, "t", MessageId(id), id % 4 == 0 ? "heard" : "unheard", listening});
    }
    const std::uint64_t before = steps();
    hub_->directory().find_delivery_states(asked);
    return steps() - before;
  };
  std::vector<DeliveryState> few;
  std::vector<DeliveryState> many;
  const std::uint64_t first = cost(100, few);
  EXPECT_LE(cost(400, many), first + 50);
  EXPECT_LE(first, 41 * 6U);
  using State = DeliveryState::State;
  for (const DeliveryState& one : many) {
    const std::uint64_t id = one.message.value();
    const State expected = id == 7 ? State::kInFlight : id % 4 == 2 ? State::kNotListening : State::kWaiting;
    EXPECT_EQ(one.state, expected) << id;
    EXPECT_EQ(one.connection, id == 7 ? confirms.id : ConnectionId()) << id;
  }
  std::vector<DeliveryState> nobody{{TargetKind::kTenant, "u", MessageId(7), "news", false}};
  hub_->directory().find_delivery_states(nobody);
  EXPECT_EQ(nobody.front().state, State::kOffline);
}

}  // namespace
}  // namespace sse::hub
