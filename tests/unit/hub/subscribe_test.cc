// Channels that a stream joins and leaves while it is open.
#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SubscribeTest : public HubTest {
 protected:
  std::optional<std::vector<bool>> subscribe(const Page& page, const std::vector<std::string>& channels,
                                             const std::string& user = "ann", std::uint32_t version = 0) {
    std::vector<JoinedChannel> joined;
    for (const std::string& channel : channels) joined.push_back({ChannelName(channel), ChannelSource::kRule});
    const auto result = hub_->subscribe(page.id, {UserId(user)}, joined, version);
    if (!result) return std::nullopt;
    std::vector<bool> in;
    for (const Subscription& one : *result) in.push_back(one.in);
    return in;
  }
  std::optional<std::vector<bool>> unsubscribe(const Page& page, const std::vector<std::string>& channels,
                                               const std::string& user = "ann") {
    std::vector<ChannelName> names;
    for (const std::string& channel : channels) names.emplace_back(channel);
    return hub_->unsubscribe(page.id, {UserId(user)}, names);
  }
  std::vector<std::string> channels_of(const Page& page) {
    std::vector<std::string> names;
    const auto info = hub_->directory().describe(page.id);
    for (const ChannelName& channel : info->channels) names.push_back(channel.str());
    return names;
  }
  static event::FrameRef message(const std::string& data, std::uint64_t id, const std::string& channel) {
    return event::Frame::make("id:" + std::to_string(id) + "\ndata:" + data + "\n\n", MessageId(id),
                              TargetKind::kChannel, channel);
  }
};

TEST_F(SubscribeTest, AStreamGetsWhatIsSentWhileItIsInAChannel) {
  start();
  Page ann = open_user("ann");
  deliver(TargetKind::kChannel, {"a"}, "too early");
  EXPECT_THAT(*subscribe(ann, {"a", "b"}), ElementsAre(true, true));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"a"}, "to a"), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"b"}, "to b"), ElementsAre(1));
  EXPECT_THAT(*subscribe(ann, {"b", "c"}), ElementsAre(true, true)) << "in b already";
  EXPECT_THAT(channels_of(ann), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*unsubscribe(ann, {"b", "x"}), ElementsAre(true, false));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"b"}, "too late"), ElementsAre(0));
  EXPECT_THAT(*unsubscribe(ann, {"a"}), ElementsAre(true));
  EXPECT_THAT(*subscribe(ann, {"d", "a"}), ElementsAre(true, true));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"a"}, "again"), ElementsAre(1));
  EXPECT_THAT(ann.data_until("again"), ElementsAre("to a", "to b", "again"));
}

TEST_F(SubscribeTest, OnlyTheOwnerOfAStreamChangesItsChannels) {
  start();
  Page ann = open_user("ann");
  EXPECT_EQ(subscribe(ann, {"a"}, "bob"), std::nullopt);
  EXPECT_EQ(unsubscribe(ann, {"a"}, "bob"), std::nullopt);
  EXPECT_FALSE(hub_->subscribe(ConnectionId(12345), {UserId("ann")}, {{ChannelName("a")}}, 0));
  EXPECT_THAT(channels_of(ann), IsEmpty());
}

TEST_F(SubscribeTest, AStreamIsInAtMost100Channels) {
  start();
  Page ann = open_user("ann");
  std::vector<std::string> names;
  for (int i = 0; i < 99; ++i) names.push_back("c" + std::to_string(i));
  subscribe(ann, names);
  EXPECT_THAT(*subscribe(ann, {"x", "y", "c5"}), ElementsAre(true, false, true));
  EXPECT_EQ(channels_of(ann).size(), 100U);
  unsubscribe(ann, {"c7"});
  EXPECT_THAT(*subscribe(ann, {"y"}), ElementsAre(true));
}

TEST_F(SubscribeTest, WhatIsOnItsWayToManyStreamsDoesNotReachOneThatJoinsMeanwhile) {
  options_.slice.direct_members = 0;
  options_.slice.steps = 1;
  start(1);
  std::vector<Page> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(open({.user = "u" + std::to_string(i), .channel = "a"}));
  Page ann = open_user("ann");
  const Target a{TargetKind::kChannel, {"a"}, false};
  std::promise<std::uint32_t> taken;
  hub_->start_delivery({{a, "news", frame("before"), {}}},
                       [&](const auto& counts) { taken.set_value(counts.front().front()); });
  subscribe(ann, {"a"});
  EXPECT_EQ(taken.get_future().get(), 20U);
  EXPECT_THAT(deliver(TargetKind::kChannel, {"a"}, "after"), ElementsAre(21));
  EXPECT_THAT(ann.data_until("after"), ElementsAre("after"));
}

TEST_F(SubscribeTest, AStreamGetsThePendingMessagesOfTheChannelAlone) {
  delegate_.answer(true);
  start();
  Page ann = open({.user = "ann", .confirms = true});
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 1; }));
  hub_->replay(delegate_.requests().front(), {{}, MessageId(9), true});
  subscribe(ann, {"a", "b"});
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 2; }));
  const ReplayRequest asked = delegate_.requests().back();
  EXPECT_THAT(asked.recipients,
              ElementsAre(std::pair(TargetKind::kChannel, "a"), std::pair(TargetKind::kChannel, "b")));
  EXPECT_EQ(asked.after.value(), 0U) << "older than what the stream has been sent";
  deliver(TargetKind::kChannel, {"a"}, "live");
  hub_->replay(asked, {{{message("old", 3, "b"), "news", false}}, MessageId(3), true});
  EXPECT_THAT(ann.data_until("live"), ElementsAre("old", "live"));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(3)}), 1U);
  EXPECT_THAT(delegate_.acknowledgements(), ElementsAre(std::tuple(TargetKind::kChannel, "b", 3U)));
}

TEST_F(SubscribeTest, PendingMessagesAreReadAgainWhenTheStoreFailed) {
  delegate_.answer(true);
  start();
  Page ann = open({.user = "ann", .confirms = true});
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 1; }));
  hub_->replay(delegate_.requests().front(), {{}, MessageId(9), true});
  subscribe(ann, {"a"});
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 2; }));
  hub_->replay(delegate_.requests().back(), {{}, MessageId(), true, true});
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 3; }));
  EXPECT_THAT(delegate_.requests().back().recipients, ElementsAre(std::pair(TargetKind::kChannel, "a")));
}

TEST_F(SubscribeTest, InAClusterTheNodeSubscribesFirstAndOnceForEachChannel) {
  options_.in_cluster = true;
  start();
  Page ann = open({.user = "ann", .channel = "a"});
  subscribe(ann, {"a", "b"});
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel a")) << "it was subscribed already";
  unsubscribe(ann, {"b"});
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel a", "channel b"));
  EXPECT_EQ(subscribe(ann, {"c"}, "bob"), std::nullopt);
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel a", "channel b", "channel c"));
}

TEST_F(SubscribeTest, ByEarlierRulesAStreamLeavesAtOnce) {
  start();
  Page ann = open_user("ann");
  hub_->review_channels(std::make_shared<const ChannelReview>(
      ChannelReview{5, [](const Identity&, std::string_view channel, ChannelSource) { return channel != "a"; }}));
  subscribe(ann, {"a", "b"}, "ann", 4);
  EXPECT_THAT(channels_of(ann), ElementsAre("b"));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"b"}, "to b"), ElementsAre(1));
  EXPECT_THAT(ann.data_until("to b"), ElementsAre(R"({"channel":"a","reason":"revoked"})", "to b"));
}

class ChannelMarksTest : public SubscribeTest {};

TEST_F(ChannelMarksTest, NameTheChannelOfTheNextEvent) {
  start();
  Page ann = open({.user = "ann", .channel = "a", .channel_marks = true});
  Page bob = open({.user = "bob", .channel = "a"});
  EXPECT_THAT(ann.client.received(), HasSubstr(R"("channelMarks":true)"));
  const Target a{TargetKind::kChannel, {"a"}, false};
  const Target both{TargetKind::kChannel, {"x\ny", "a"}, false};
  hub_->deliver(a, "news", event::Frame::make("id:1\ndata:one\n\n", {}, TargetKind::kChannel, "a"));
  hub_->deliver(both, "news", event::Frame::make("id:2\ndata:two\n\n", {}, TargetKind::kChannel));
  deliver(TargetKind::kUser, {"ann"}, "to her");
  EXPECT_THAT(
      ann.until("to her"),
      HasSubstr(
          "\n\nevent:sse-channel\ndata:{\"channel\":\"a\",\"event\":\"message\"}\n\nid:1\ndata:one\n\n"
          "event:sse-channel\ndata:{\"channel\":\"a\",\"event\":\"message\"}\n\nid:2\ndata:two\n\ndata:to her\n\n"));
  deliver(TargetKind::kAll, {}, "end");
  EXPECT_THAT(bob.until("end"), Not(HasSubstr("sse-channel")));
}

TEST_F(ChannelMarksTest, StandBetweenTheMarkOfAMessageAndTheMessage) {
  start();
  Page ann = open({.user = "ann", .channel = "a", .marks = true, .channel_marks = true});
  hub_->deliver({TargetKind::kChannel, {"a"}, false}, "news", message("one", 5, "a"));
  EXPECT_THAT(ann.until("one"), HasSubstr("\n\nevent:sse-qos\ndata:\n\nevent:sse-channel\n"
                                          "data:{\"channel\":\"a\",\"event\":\"message\"}\n\nid:5\ndata:one\n\n"));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(5)}), 1U);
}

// What a stream catches up later is older than what its client resumes from.
TEST_F(ChannelMarksTest, HaveTheIdOfWhatALaterSubscriptionCatchesUp) {
  for (const bool resumable : {false, true}) {
    SCOPED_TRACE(resumable);
    options_.resumable = resumable;
    delegate_.answer(true);
    start(1);
    const std::size_t asked = delegate_.requests().size();
    Page ann = open({.user = "ann", .confirms = true, .marks = true, .channel_marks = true});
    ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == asked + 1; }));
    hub_->replay(delegate_.requests().back(), {{}, MessageId(), true});
    subscribe(ann, {"a"});
    ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == asked + 2; }));
    hub_->replay(delegate_.requests().back(), {{{message("old", 3, "a"), "news", false}}, MessageId(3), true});
    EXPECT_THAT(ann.until("old"),
                HasSubstr("\n\nevent:sse-qos\ndata:\n\nevent:sse-channel\n"
                          "data:{\"channel\":\"a\",\"event\":\"message\",\"id\":\"3\"}\n\ndata:old\n\n"));
    EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(3)}), 1U);
    hub_->deliver({TargetKind::kChannel, {"a"}, false}, "news", message("new", 500, "a"));
    EXPECT_THAT(ann.until("new"), HasSubstr("data:{\"channel\":\"a\",\"event\":\"message\"}\n\nid:500\ndata:new\n\n"));
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
    loops_.clear();
  }
}

}  // namespace
}  // namespace sse::hub
