// The replay of pending messages, as a hub does it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Replays, answered by the test instead of a repository.
class HubReplayTest : public HubTest {
 protected:
  ReplayRequest wait_request(std::size_t number) {
    EXPECT_TRUE(eventually([&] { return delegate_.requests().size() >= number; }));
    return delegate_.requests().at(number - 1);
  }
  static ReplayFrame item(const std::string& data, std::uint64_t message, bool listening = false) {
    return {frame(data, message), "news", listening};
  }
};

TEST_F(HubReplayTest, AsksForEverythingTheConnectionMayReceive) {
  delegate_.answer(true);
  start();
  const Page page = open({.user = "u", .tenant = "t", .token = "k", .channel = "c"});
  const ReplayRequest request = wait_request(1);
  EXPECT_EQ(request.connection, page.id);
  EXPECT_EQ(request.after, MessageId());
  EXPECT_THAT(request.only_events, IsEmpty());
  EXPECT_THAT(request.recipients, ElementsAre(std::pair(TargetKind::kUser, "u"), std::pair(TargetKind::kToken, "k"),
                                              std::pair(TargetKind::kTenant, "t"), std::pair(TargetKind::kChannel, "c"),
                                              std::pair(TargetKind::kAll, ""), std::pair(TargetKind::kMember, "1:ut")));
}

TEST_F(HubReplayTest, PutsLiveEventsBehindTheReplayedOnes) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(deliver(TargetKind::kUser, {"u"}, "live"), ElementsAre(1));
  hub_->replay(first, {{item("old 1", 1), item("old 2", 2)}, MessageId(2), false});
  const ReplayRequest second = wait_request(2);
  EXPECT_EQ(second.after, MessageId(2));
  hub_->replay(second, {{item("old 3", 3)}, MessageId(3), true});
  const std::string got = page.until("live");
  EXPECT_THAT(got, ::testing::EndsWith("data:old 1\n\ndata:old 2\n\ndata:old 3\n\ndata:live\n\n"));
}

TEST_F(HubReplayTest, HoldsWhatWasCommittedMeanwhileAndDropsDoubles) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  // Committed and delivered while the page was read: the reader saw 2 and not 3.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("two", 2));
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("three", 3));
  hub_->replay(first, {{item("one", 1), item("two", 2)}, MessageId(2), true});
  // Committed before the page was read, and delivered after.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("one", 1));
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("four", 4));
  EXPECT_THAT(page.until("four"), ::testing::EndsWith("data:one\n\ndata:two\n\ndata:three\n\ndata:four\n\n"));
}

// Nodes of a mesh give ids by their own clocks: this one's is behind that of the node whose message the store had.
TEST_F(HubReplayTest, GivesALiveMessageWhoseIdIsSmallerThanWhatTheStoreHad) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("while it was read", 5)), ElementsAre(1));
  hub_->replay(first, {{item("from the store", 100)}, MessageId(100), true});
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("later", 6)), ElementsAre(1));
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("from the store", 100)), ElementsAre(1));
  deliver(TargetKind::kUser, {"u"}, "end");
  EXPECT_THAT(page.until("end"), ::testing::EndsWith("data:from the store\n\ndata:while it was read\n\ndata:later\n\n"
                                                     "data:end\n\n"));
}

TEST_F(HubReplayTest, LooksFromTheStartInAClusterAndGivesWhatItHasNotGiven) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .send_buffer = 4096, .receive_buffer = 4096});
  hub_->replay(wait_request(1), {{item("from the store", 100)}, MessageId(100), true});
  ASSERT_THAT(page.until("from the store"), HasSubstr("from the store"));
  // Its peer reads nothing from here on, so that this one is not acknowledged.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live" + std::string(500'000, 'x'), 200));
  hub_->refresh_pending();
  const ReplayRequest again = wait_request(2);
  EXPECT_EQ(again.after, MessageId());
  hub_->replay(again, {{item("of a node that was away", 7), item("from the store", 100),
                        item("live" + std::string(500'000, 'x'), 200)},
                       MessageId(200),
                       true});
  deliver(TargetKind::kUser, {"u"}, "end");
  const std::string got = page.until("end");
  EXPECT_EQ(times(got, "data:of a node that was away\n"), 1U);
  EXPECT_EQ(times(got, "data:from the store\n"), 1U);
  EXPECT_EQ(times(got, "data:live"), 1U);
}

// Pages are read while a confirmation is on its way into the store.
TEST_F(HubReplayTest, DoesNotGiveAgainWhatTheClientConfirmsWhileTheStoreIsRead) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .marks = true});
  hub_->replay(wait_request(1), {{}, MessageId(1), true});
  deliver(TargetKind::kUser, {"u"}, "begin");
  page.until("begin");
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live", 5));
  page.until("live");
  hub_->refresh_pending();
  const ReplayRequest again = wait_request(2);
  EXPECT_EQ(hub_->acknowledge(page.id, {UserId("u")}, {MessageId(5)}), 1U);
  hub_->replay(again, {{item("live", 5), item("more", 6)}, MessageId(6), true});
  EXPECT_EQ(times(page.until("more"), "data:live\n"), 1U);
}

// The confirmation may have been lost, with a node that has been killed: no other node would tell the store again.
TEST_F(HubReplayTest, DoesNotGiveAgainWhatTheClientHasJustConfirmedAndSaysSoAgain) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .marks = true});
  hub_->replay(wait_request(1), {{}, MessageId(1), true});
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live", 5));
  page.until("live");
  EXPECT_EQ(hub_->acknowledge(page.id, {UserId("u")}, {MessageId(5)}), 1U);
  hub_->refresh_pending();
  hub_->replay(wait_request(2), {{item("live", 5), item("more", 6)}, MessageId(6), true});
  EXPECT_EQ(times(page.until("more"), "data:live\n"), 1U);
  EXPECT_THAT(delegate_.acknowledgements_before(), ElementsAre(std::make_tuple(TargetKind::kUser, "u", 5U)));
}

// It was in the store when the recipient's other stream confirmed it, and no more when this one read it.
TEST_F(HubReplayTest, GivesWhatItCountedAlthoughAnotherStreamHasConfirmedIt) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("counted", 5)), ElementsAre(1));
  hub_->replay(first, {{item("younger", 6)}, MessageId(6), true});
  EXPECT_THAT(page.until("counted"), ::testing::EndsWith("data:younger\n\ndata:counted\n\n"));
}

// What has no room is looked for in the store, which may have it no more: another person of the tenant has confirmed
// it.
TEST_F(HubReplayTest, CountsAMessageOnlyWhereItIsGivenEvenIfAnotherStreamConfirmsIt) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .tenant = "t"});
  const ReplayRequest first = wait_request(1);
  std::uint64_t counted = 0;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    const event::FrameRef message = frame("m" + std::to_string(id) + std::string(1000, 'x'), id, TargetKind::kTenant);
    counted += hub_->deliver({TargetKind::kTenant, {"t"}, false}, "news", message).front();
  }
  EXPECT_GT(counted, 0U);
  EXPECT_LT(counted, 20U);
  hub_->replay(first, {{}, MessageId(20), true});
  hub_->replay(wait_request(2), {{}, MessageId(20), true});
  EXPECT_TRUE(eventually([&] { return deliver(TargetKind::kUser, {"u"}, "end") == std::vector<std::uint32_t>{1}; }));
  const std::string got = page.until("end");
  EXPECT_EQ(times(got, "data:m"), counted);
}

TEST_F(HubReplayTest, GivesWhatCouldBeReadAndAsksAgainForTheRest) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  hub_->replay(wait_request(1), {{item("of this node", 2)}, MessageId(2), true, true});
  EXPECT_THAT(page.until("of this node"), HasSubstr("data:of this node"));
  hub_->replay(wait_request(2), {{item("of the other", 1), item("of this node", 2)}, MessageId(2), true});
  EXPECT_THAT(page.until("of the other"), ::testing::EndsWith("data:of this node\n\ndata:of the other\n\n"));
  deliver(TargetKind::kUser, {"u"}, "end");
  EXPECT_EQ(times(page.until("end"), "data:of this node"), 1U);
}

TEST_F(HubReplayTest, GivesListeningMessagesOnlyToThoseWhoListen) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  hub_->replay(wait_request(1), {{item("hidden", 1, true), item("shown", 2)}, MessageId(2), true});
  ASSERT_THAT(page.until("shown"), Not(HasSubstr("hidden")));
  hub_->change_listeners(page.id, {UserId("u")}, {"news"}, true);
  const ReplayRequest request = wait_request(2);
  EXPECT_THAT(request.only_events, ElementsAre("news"));
  EXPECT_EQ(request.after, MessageId());
  hub_->replay(request, {{item("hidden", 1, true)}, MessageId(1), true});
  EXPECT_THAT(page.until("hidden"), HasSubstr("hidden"));
}

TEST_F(HubReplayTest, TakesAPageLargerThanTheBacklogAtTheClientsPace) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start(1);
  Page page = open({.user = "u", .send_buffer = 4096, .receive_buffer = 4096});
  std::vector<ReplayFrame> all;
  std::string expected;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    const std::string data = std::to_string(i) + std::string(2000, 'x');
    all.push_back(item(data, i));
    expected += "data:" + data + "\n\n";
  }
  page.client.take();
  hub_->replay(wait_request(1), {std::move(all), MessageId(500), true});
  // The client reads late; that alone is no reason to close it.
  ASSERT_TRUE(eventually([&] { return hub_->directory().describe(page.id)->backlog_bytes > 0; }));
  EXPECT_LE(hub_->directory().describe(page.id)->backlog_bytes, 10'000U);
  deliver(TargetKind::kUser, {"u"}, "live");
  expected += "data:live\n\n";
  ASSERT_TRUE(page.client.receive_bytes(expected.size()));
  EXPECT_TRUE(page.client.received() == expected);
}

TEST_F(HubReplayTest, ForgetsAReplayWhoseStreamIsGone) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest request = wait_request(1);
  page.client.close();
  ASSERT_TRUE(eventually([&] { return hub_->directory().sockets() == 0; }));
  hub_->replay(request, {{item("one", 1)}, MessageId(1), false});
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "x"), ElementsAre(0));
  EXPECT_THAT(delegate_.requests(), SizeIs(1));
}

TEST_F(HubReplayTest, BoundsWhatItHoldsWhileItReplays) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  wait_request(1);
  std::vector<std::uint32_t> taken{1};
  for (int i = 0; i < 100 && taken.front() == 1; ++i) taken = deliver(TargetKind::kUser, {"u"}, std::string(1000, 'x'));
  EXPECT_THAT(taken, ElementsAre(0));
  EXPECT_TRUE(eventually([&] { return hub_->directory().sockets() == 0; }));
  EXPECT_EQ(closed_for("slow-consumer"), 1);
}

}  // namespace
}  // namespace sse::hub
