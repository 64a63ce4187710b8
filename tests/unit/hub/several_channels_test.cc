// A stream in several channels.
#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "hub/connection_scan.h"
#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::string> texts(const std::vector<ChannelName>& channels) {
  std::vector<std::string> all;
  for (const ChannelName& channel : channels) all.push_back(channel.str());
  return all;
}

class SeveralChannelsTest : public HubTest {
 protected:
  Page open_in(const std::string& user, std::vector<std::string> channels, bool confirms = false) {
    PageOptions options{.user = user, .confirms = confirms};
    options.channel = channels.front();
    options.more_channels.assign(channels.begin() + 1, channels.end());
    return open(std::move(options));
  }
  std::vector<std::uint32_t> send_message(std::vector<std::string> channels, const std::string& data,
                                          std::uint64_t message) {
    const std::string one = channels.size() == 1 ? channels.front() : "";
    return hub_->deliver({TargetKind::kChannel, std::move(channels), false}, "news",
                         event::Frame::make("id:" + std::to_string(message) + "\ndata:" + data + "\n\n",
                                            MessageId(message), TargetKind::kChannel, one));
  }
  std::vector<std::uint32_t> send_event(std::vector<std::string> channels, const std::string& data) {
    return hub_->deliver(
        {TargetKind::kChannel, std::move(channels), false}, "news",
        event::Frame::make("id:" + std::to_string(++last_) + "\ndata:" + data + "\n\n", {}, TargetKind::kChannel));
  }
  static std::tuple<TargetKind, std::string, std::uint64_t> of(const std::string& channel, std::uint64_t message) {
    return {TargetKind::kChannel, channel, message};
  }

  std::uint64_t last_ = 1000;
};

TEST_F(SeveralChannelsTest, GetWhatIsSentToEachOfThem) {
  start();
  Page ann = open_in("ann", {"a", "b", "c"});
  Page bob = open_in("bob", {"b"});
  EXPECT_THAT(deliver(TargetKind::kChannel, {"a"}, "to a"), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"b"}, "to b"), ElementsAre(2));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "to c"), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"d"}, "to d"), ElementsAre(0));
  EXPECT_THAT(ann.data_until("to c"), ElementsAre("to a", "to b", "to c"));
  EXPECT_THAT(bob.data_until("to b"), ElementsAre("to b"));
}

TEST_F(SeveralChannelsTest, GetAnEventToSeveralOfThemOnce) {
  for (const std::size_t direct_members : {64U, 0U}) {
    SCOPED_TRACE(direct_members);
    options_.slice.direct_members = direct_members;
    options_.slice.steps = 1;
    start(2);
    Page ann = open_in("ann", {"a", "b"});
    Page bob = open_in("bob", {"b"});
    EXPECT_THAT(send_event({"a", "b", "x"}, "first"), ElementsAre(1, 1, 0));
    EXPECT_THAT(send_event({"b", "a"}, "second"), ElementsAre(2, 0));
    EXPECT_THAT(send_event({"b"}, "last"), ElementsAre(2));
    EXPECT_THAT(ann.data_until("last"), ElementsAre("first", "second", "last"));
    EXPECT_THAT(bob.data_until("last"), ElementsAre("first", "second", "last"));
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
    loops_.clear();
  }
}

// In a cluster an event comes for each channel by itself.
TEST_F(SeveralChannelsTest, GetAnEventOfAnotherNodeOnceWithOthersInBetween) {
  start(1);
  Page ann = open_in("ann", {"a", "b"});
  const Target a{TargetKind::kChannel, {"a"}, false};
  const Target b{TargetKind::kChannel, {"b"}, false};
  const auto come = [&](const Target& target, std::uint64_t id) {
    return hub_
        ->deliver({Delivery{target,
                            "news",
                            event::Frame::make("id:" + std::to_string(id) + "\ndata:" + std::to_string(id) + "\n\n", {},
                                               TargetKind::kChannel, target.names.front()),
                            {},
                            false,
                            true}})
        .front()
        .front();
  };
  EXPECT_EQ(come(a, 1), 1U);
  EXPECT_EQ(come(b, 2), 1U);
  EXPECT_EQ(come(b, 1), 0U);
  EXPECT_EQ(come(a, 2), 0U);
  EXPECT_EQ(come(b, 3), 1U);
  EXPECT_THAT(ann.data_until("3"), ElementsAre("1", "2", "3"));
}

TEST_F(SeveralChannelsTest, ConfirmAMessageForTheChannelThatBroughtIt) {
  start();
  Page ann = open_in("ann", {"a", "b"}, true);
  send_message({"b"}, "to b", 5);
  send_message({"a"}, "to a", 6);
  ASSERT_TRUE(ann.client.receive_until("data:to a"));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(5), MessageId(6)}), 2U);
  EXPECT_THAT(delegate_.acknowledgements(), ElementsAre(of("b", 5), of("a", 6)));
}

TEST_F(SeveralChannelsTest, ConfirmAMessageToSeveralOfThemForEach) {
  start();
  Page ann = open_in("ann", {"a", "b", "c"}, true);
  EXPECT_THAT(send_message({"c", "a"}, "to both", 5), ElementsAre(1, 0));
  ASSERT_TRUE(ann.client.receive_until("data:to both"));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(5)}), 1U);
  EXPECT_THAT(delegate_.acknowledgements(), UnorderedElementsAre(of("c", 5), of("a", 5)));
}

TEST_F(SeveralChannelsTest, ConfirmAfterTheEndWhatTheyGot) {
  start();
  Page ann = open_in("ann", {"a", "b"}, true);
  send_message({"a", "b"}, "to both", 5);
  send_message({"b"}, "to b", 6);
  ASSERT_TRUE(ann.client.receive_until("data:to b"));
  ann.client.reset();
  ASSERT_TRUE(eventually([&] { return hub_->directory().connections() == 0; }));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(5), MessageId(6)}), 2U);
  EXPECT_THAT(delegate_.acknowledgements(), UnorderedElementsAre(of("a", 5), of("b", 5), of("b", 6)));
}

TEST_F(SeveralChannelsTest, AreConfirmedByTcpForEachChannel) {
  start();
  Page ann = open_in("ann", {"a", "b"});
  send_message({"a", "b"}, "to both", 5);
  send_message({"b"}, "to b", 6);
  ASSERT_TRUE(ann.client.receive_until("data:to b"));
  ASSERT_TRUE(eventually([&] { return delegate_.acknowledgements().size() == 3; }));
  EXPECT_THAT(delegate_.acknowledgements(), UnorderedElementsAre(of("a", 5), of("b", 5), of("b", 6)));
}

TEST_F(SeveralChannelsTest, GetAPendingMessageOfTwoChannelsOnce) {
  delegate_.answer(true);
  start();
  Page ann = open_in("ann", {"a", "b"}, true);
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 1; }));
  const ReplayRequest asked = delegate_.requests().front();
  EXPECT_THAT(asked.recipients, ElementsAre(std::pair(TargetKind::kUser, "ann"), std::pair(TargetKind::kChannel, "a"),
                                            std::pair(TargetKind::kChannel, "b"), std::pair(TargetKind::kAll, "")));
  hub_->replay(asked, {{{frame("both", 3, TargetKind::kChannel, "a"), "news", false},
                        {frame("both", 3, TargetKind::kChannel, "b"), "news", false},
                        {frame("b alone", 4, TargetKind::kChannel, "b"), "news", false}},
                       MessageId(4),
                       true});
  EXPECT_THAT(ann.data_until("b alone"), ElementsAre("both", "b alone"));
  EXPECT_EQ(hub_->acknowledge(ann.id, {UserId("ann")}, {MessageId(3), MessageId(4)}), 2U);
  EXPECT_THAT(delegate_.acknowledgements(), UnorderedElementsAre(of("a", 3), of("b", 3), of("b", 4)));
}

TEST_F(SeveralChannelsTest, AreListedWithAllOfThem) {
  start();
  const Page ann = open_in("ann", {"b", "c", "a"});
  const Page bob = open_in("bob", {"c"});
  const auto info = hub_->directory().describe(ann.id);
  EXPECT_EQ(info->channel.str(), "b");
  EXPECT_THAT(texts(info->channels), ElementsAre("b", "c", "a"));
  EXPECT_THAT(hub_->directory().names(TargetKind::kChannel), ElementsAre("a", "b", "c"));
  EXPECT_THAT(find(hub_->directory(), {.channel = ChannelName("c")}), ElementsAre(ann.id, bob.id));
  EXPECT_THAT(find(hub_->directory(), {.user = UserId("bob"), .channel = ChannelName("a")}), IsEmpty());
  const std::vector<NameCount> counts = count_names(hub_->directory(), TargetKind::kChannel, {});
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts[2].connections, 2U);
  EXPECT_EQ(counts[2].users, 2U);
  const std::vector<MatchResult> matches =
      explain(hub_->directory(), {.target = {TargetKind::kChannel, {"a", "b"}, false}, .event = "news"});
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_THAT(matches[0].channels, ElementsAre("b", "c", "a"));
  hub_->close(std::vector<ConnectionId>{ann.id});
  EXPECT_THAT(texts(hub_->directory().recently_closed().front().channels), ElementsAre("b", "c", "a"));
  EXPECT_THAT(hub_->directory().names(TargetKind::kChannel), ElementsAre("c"));
}

TEST_F(SeveralChannelsTest, LoseTheRightToEachByItself) {
  options_.in_cluster = true;
  start();
  PageOptions options{.user = "ann", .channel = "a", .channel_source = ChannelSource::kRule};
  options.more_channels = {"b", "c"};
  Page ann = open(std::move(options));
  const auto without = [](std::uint32_t version, const std::string& lost) {
    return std::make_shared<const ChannelReview>(ChannelReview{
        version, [lost](const Identity&, std::string_view channel, ChannelSource) { return channel != lost; }});
  };
  hub_->review_channels(without(1, "b"));
  EXPECT_THAT(texts(hub_->directory().describe(ann.id)->channels), ElementsAre("a", "c"));
  hub_->review_channels(without(2, "a"));
  EXPECT_THAT(texts(hub_->directory().describe(ann.id)->channels), ElementsAre("c"));
  EXPECT_EQ(hub_->directory().describe(ann.id)->channel.str(), "c");
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel b", "channel a"));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"a"}, "a"), ElementsAre(0));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "to c"), ElementsAre(1));
  EXPECT_THAT(ann.data_until("to c"),
              ElementsAre(R"({"channel":"b","reason":"revoked"})", R"({"channel":"a","reason":"revoked"})", "to c"));
}

}  // namespace
}  // namespace sse::hub
