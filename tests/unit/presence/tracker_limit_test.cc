// How many channels a tracker follows.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "unit/presence/tracker_fixture.h"

namespace sse::presence {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TrackerLimitTest : public TrackerTest {};

// A channel has its place from the first stream that watches it until it is no longer followed.
TEST_F(TrackerLimitTest, NoMoreChannelsAreFollowedThanTheLimitAllows) {
  tracking_.max_channels = 2;
  start_all();
  Page ann = watch("ann", "a");
  story_with(ann, "sse-presence 1 ann");
  Page bob = watch("bob", "b");
  story_with(bob, "sse-presence 1 bob");
  Page cid = watch("cid", "c");
  EXPECT_THAT(story_with(cid, "refused c presence-limit"), ElementsAre("refused c presence-limit"));
  EXPECT_EQ(hub_->watch_presence(cid.id, {UserId("cid")}, {ChannelName("c")}), std::vector{ChannelName("c")});
  EXPECT_EQ(metric("sse_presence_refused_total{by=\"stream\"}"), 2);
  EXPECT_EQ(metric("sse_presence_channels"), 2);
  EXPECT_EQ(metric("sse_presence_watchers"), 2);
  // It is in the channel all the same, and those that are followed take further streams.
  EXPECT_THAT(deliver(event::TargetKind::kChannel, {"c"}, "for cid"), ElementsAre(1));
  Page dan = watch("dan", "a");
  story_with(dan, "sse-presence 2 ann dan");
  ASSERT_TRUE(close(bob, "bob"));
  advance(Tracker::kLinger - seconds(1));
  EXPECT_FALSE(hub_->watch_presence(cid.id, {UserId("cid")}, {ChannelName("c")}).empty());
  advance(seconds(2));
  EXPECT_TRUE(hub_->watch_presence(cid.id, {UserId("cid")}, {ChannelName("c")}).empty());
  story_with(cid, "sse-presence 1 cid");
}

TEST_F(TrackerLimitTest, AChannelTakesOnePlaceWhereverItsStreamsAre) {
  tracking_.max_channels = 1;
  start_all(4);
  std::vector<Page> crowd;
  crowd.push_back(watch("u0", "room"));
  settle_all();
  for (int i = 1; i < 20; ++i) crowd.push_back(watch("u" + std::to_string(i), "room"));
  for (Page& one : crowd) {
    EXPECT_TRUE(eventually([&] {
      drain(one);
      return !story(one).empty();
    }));
    EXPECT_THAT(story(one), Not(::testing::Contains(HasSubstr("refused"))));
  }
  for (std::size_t i = 0; i < crowd.size(); ++i) ASSERT_TRUE(close(crowd[i], "u" + std::to_string(i)));
  advance(Tracker::kLinger + seconds(1));
  EXPECT_EQ(metric("sse_presence_channels"), 0);
  // Nor did the others leave one behind, or take one with them.
  Page last = watch("last", "other");
  story_with(last, "sse-presence 1 last");
  Page late = watch("late", "another");
  story_with(late, "refused another presence-limit");
}

// Channels that streams watch for a moment have a place for a while.
TEST_F(TrackerLimitTest, WatchingAThousandChannelsOneAfterTheOtherStaysWithinTheLimit) {
  tracking_.max_channels = 10;
  start_all();
  Page ann = open({.user = "ann"});
  for (int i = 0; i < 1000; ++i) {
    const std::string channel = "c" + std::to_string(i);
    subscribe(ann, "ann", channel);
    hub_->watch_presence(ann.id, {UserId("ann")}, {ChannelName(channel)});
    unsubscribe(ann, "ann", channel);
  }
  settle_all();
  EXPECT_EQ(metric("sse_presence_channels"), 10);
  EXPECT_EQ(metric("sse_presence_refused_total{by=\"stream\"}"), 990);
  EXPECT_EQ(metric("sse_presence_watchers"), 0);
  advance(Tracker::kLinger + seconds(1));
  EXPECT_EQ(metric("sse_presence_channels"), 0);
}

}  // namespace
}  // namespace sse::presence
