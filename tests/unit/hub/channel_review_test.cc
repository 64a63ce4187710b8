#include "hub/channel_review.h"

#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLeft = R"({"channel":"c","reason":"revoked"})";

// Rules by which only this user may be in a channel.
std::shared_ptr<const ChannelReview> only(const std::string& user, std::uint32_t version = 1) {
  return std::make_shared<const ChannelReview>(ChannelReview{
      version, [user](const Identity& who, std::string_view, ChannelSource) { return who.user.str() == user; }});
}

class ChannelReviewTest : public HubTest {
 protected:
  Page open_in(const std::string& user, ChannelSource source = ChannelSource::kRule) {
    return open({.user = user, .channel = "c", .channel_source = source});
  }
  double revoked() {
    return metrics_.snapshot()[R"(sse_channels_refused_total{reason="revoked",rule="",service="hr"})"];
  }
};

TEST_F(ChannelReviewTest, StreamsLeaveAChannelThatNoRuleAllowsAnyMore) {
  start();
  Page ann = open_in("ann");
  Page bob = open_in("bob");
  Page claim = open_in("cid", ChannelSource::kLasting);
  hub_->review_channels(only("ann"));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "in"), ElementsAre(2));
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "all"), ElementsAre(3));
  EXPECT_THAT(bob.data_until("all"), ElementsAre(kLeft, "all"));
  EXPECT_THAT(ann.data_until("all"), ElementsAre("in", "all"));
  EXPECT_THAT(claim.data_until("all"), ElementsAre("in", "all"));
  EXPECT_EQ(hub_->directory().describe(bob.id)->channel.str(), "");
  EXPECT_EQ(hub_->directory().connections(), 3U);
  EXPECT_EQ(revoked(), 1);
  // Once.
  hub_->review_channels(only("ann", 2));
  EXPECT_EQ(revoked(), 1);
}

TEST_F(ChannelReviewTest, WhatWasSentBeforeComesBeforeTheEnd) {
  options_.slice.direct_members = 0;
  start(1);
  Page bob = open_in("bob");
  const Target channel{TargetKind::kChannel, {"c"}, false};
  std::promise<void> done;
  hub_->start_delivery({{channel, "news", frame("before"), {}}}, [&](const auto&) { done.set_value(); });
  hub_->review_channels(only("ann"));
  done.get_future().get();
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "after"), ElementsAre(0));
  deliver(TargetKind::kAll, {}, "all");
  EXPECT_THAT(bob.data_until("all"), ElementsAre("before", kLeft, "all"));
}

TEST_F(ChannelReviewTest, AStreamThatOpensByEarlierRulesIsReviewed) {
  start();
  hub_->review_channels(only("ann", 7));
  Page bob = open_in("bob");
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "in"), ElementsAre(0));
  deliver(TargetKind::kAll, {}, "all");
  EXPECT_THAT(bob.data_until("all"), ElementsAre(kLeft, "all"));
}

TEST_F(ChannelReviewTest, OtherNodesNeedNotSendForTheChannelAnyMore) {
  options_.in_cluster = true;
  start();
  Page bob = open_in("bob");
  hub_->review_channels(only("ann"));
  EXPECT_EQ(delegate_.left(), 1);
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel c"));
  hub_->close(std::vector<ConnectionId>{bob.id});
  EXPECT_THAT(delegate_.names_left(), ElementsAre("channel c", "user bob", "all "));
}

TEST_F(ChannelReviewTest, WhatAStreamGotInTheChannelItMayStillConfirm) {
  start();
  Page bob = open({.user = "bob", .channel = "c", .channel_source = ChannelSource::kRule, .confirms = true});
  hub_->deliver({TargetKind::kChannel, {"c"}, false}, "news", frame("got", 5, TargetKind::kChannel));
  EXPECT_TRUE(bob.client.receive_until("data:got"));
  hub_->review_channels(only("ann"));
  EXPECT_EQ(hub_->acknowledge(bob.id, {UserId("bob")}, {MessageId(5)}), 1U);
  EXPECT_THAT(delegate_.acknowledgements(), ElementsAre(std::tuple(TargetKind::kChannel, "c", 5U)));
}

TEST_F(ChannelReviewTest, PendingMessagesOfTheChannelThatAreOnTheirWayAreLeftToOthers) {
  delegate_.answer(true);
  start();
  Page bob = open_in("bob");
  ASSERT_TRUE(eventually([&] { return delegate_.requests().size() == 1; }));
  const ReplayRequest asked = delegate_.requests().front();
  hub_->review_channels(only("ann"));
  hub_->replay(asked, {{{frame("of the channel", 3, TargetKind::kChannel), "news", false},
                        {frame("of the user", 4, TargetKind::kUser), "news", false}},
                       MessageId(4),
                       true});
  EXPECT_THAT(bob.data_until("of the user"), ElementsAre(kLeft, "of the user"));
}

TEST_F(ChannelReviewTest, ConnectFinishAndAnEventTellWhatIsRefused) {
  start();
  Page bob = open({.user = "bob", .refused = {{ChannelName("a\n\"b"), kNoChannelRule}}});
  deliver(TargetKind::kAll, {}, "all");
  const std::string all = bob.until("all");
  EXPECT_THAT(all, HasSubstr(R"("refused":[{"channel":"a\n\"b","reason":"no-rule"}]})"));
  EXPECT_THAT(all,
              HasSubstr("\n\nevent:sse-channel-refused\ndata:{\"channel\":\"a\\n\\\"b\",\"reason\":\"no-rule\"}\n\n"));
  EXPECT_EQ(hub_->directory().describe(bob.id)->messages, 3U);
  Page ann = open({.user = "ann"});
  deliver(TargetKind::kAll, {}, "end");
  EXPECT_THAT(ann.until("end"), Not(HasSubstr("refused")));
}

}  // namespace
}  // namespace sse::hub
