#include "presence/tracker.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "unit/presence/tracker_fixture.h"

namespace sse::presence {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(TrackerTest, AStreamThatWatchesGetsASnapshotThenChanges) {
  start_all();
  Page bob = open_in("bob", "room");
  Page ann = watch("ann", "room");
  EXPECT_THAT(story_with(ann, "sse-presence 2 ann bob"), ElementsAre("sse-presence 2 ann bob"));
  Page cid = open_in("cid", "room");
  story_with(ann, "sse-join 3 cid");
  EXPECT_TRUE(close(bob, "bob"));
  EXPECT_THAT(story_with(ann, "sse-leave 2 bob"),
              ElementsAre("sse-presence 2 ann bob", "sse-join 3 cid", "sse-leave 2 bob"));
  EXPECT_THAT(ann.client.received(), Not(HasSubstr("id:0\nevent:sse-")));
  for (const testing::ReceivedEvent& one : ann.events()) EXPECT_EQ(one.id, ann.id.str()) << "no event has an id";
}

TEST_F(TrackerTest, StreamsThatDoNotWatchGetNothingAndCostNothing) {
  start_all();
  Page bob = open_in("bob", "room");
  Page cid = open_in("cid", "room");
  advance(seconds(10));
  EXPECT_EQ(metric("sse_presence_channels"), 0);
  Page ann = watch("ann", "room");
  Page dan = watch("dan", "other");
  story_with(ann, "sse-presence 3 ann bob cid");
  story_with(dan, "sse-presence 1 dan");
  EXPECT_EQ(metric("sse_presence_channels"), 2);
  EXPECT_EQ(metric("sse_presence_members"), 4);
  EXPECT_EQ(metric("sse_presence_watchers"), 2);
  deliver(hub::TargetKind::kAll, {}, "end");
  EXPECT_THAT(bob.until("end"), Not(HasSubstr("sse-")));
}

TEST_F(TrackerTest, AReconnectWithinTheGraceIsNoChange) {
  tracking_.grace = seconds(5);
  start_all();
  Page bob = open_in("bob", "room");
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 2 ann bob");
  ASSERT_TRUE(close(bob, "bob"));
  advance(milliseconds(4900));
  Page again = open_in("bob", "room");
  advance(seconds(10));
  Page cid = open_in("cid", "room");
  EXPECT_THAT(story_with(ann, "sse-join 3 cid"), ElementsAre("sse-presence 2 ann bob", "sse-join 3 cid"));
}

TEST_F(TrackerTest, APageThatIsHiddenStaysAMinute) {
  start_all();
  Page bob = open_in("bob", "room");
  Page cid = open_in("cid", "room");
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 3 ann bob cid");
  ASSERT_TRUE(close(bob, "bob", hub::kHiddenGoodbye));
  ASSERT_TRUE(close(cid, "cid", "pagehide"));
  advance(milliseconds(59'000));
  advance(milliseconds(500));
  EXPECT_THAT(story_with(ann, "sse-leave 2 cid"), ElementsAre("sse-presence 3 ann bob cid", "sse-leave 2 cid"));
  advance(milliseconds(1000));
  story_with(ann, "sse-leave 1 bob");
}

TEST_F(TrackerTest, AChannelHasAtMostOneEventEachInterval) {
  start_all();
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 1 ann");
  advance(Tracker::kInterval);
  std::vector<Page> crowd;
  for (int i = 0; i < 3; ++i) crowd.push_back(open_in("u" + std::to_string(i), "room"));
  settle_all();
  for (int i = 3; i < 20; ++i) crowd.push_back(open_in("u" + std::to_string(i), "room"));
  advance(Tracker::kInterval - milliseconds(10));
  drain(ann);
  EXPECT_LE(story(ann).size(), 2U);
  EXPECT_TRUE(eventually([&] {
    drain(ann);
    return story(ann).back().starts_with("sse-join 21 ");
  }));
  EXPECT_LE(story(ann).size(), 3U);
}

TEST_F(TrackerTest, AUserWithSeveralStreamsIsOneMember) {
  start_all();
  Page first = open_in("bob", "room");
  Page second = open_in("bob", "room");
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 2 ann bob");
  ASSERT_TRUE(close(first, "bob"));
  advance(seconds(20));
  Page cid = open_in("cid", "room");
  EXPECT_THAT(story_with(ann, "sse-join 3 cid"), ElementsAre("sse-presence 2 ann bob", "sse-join 3 cid"));
}

TEST_F(TrackerTest, ProfilesAreThoseThatOthersMaySeeAndTokensNever) {
  start_all();
  Page bob = open({.user = "bob",
                   .tenant = "acme",
                   .token = "secret-token",
                   .channel = "room",
                   .profile = R"({"mail":"bob@example.org","presence":{"name":"Bob"}})"});
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 2 ann bob");
  EXPECT_THAT(ann.client.received(), HasSubstr(R"({"profile":{"name":"Bob"},"tenant":"acme","user":"bob"})"));
  EXPECT_THAT(ann.client.received(), Not(HasSubstr("secret-token")));
  EXPECT_THAT(ann.client.received(), Not(HasSubstr("example.org")));
}

TEST_F(TrackerTest, StreamsWithoutAUserWatchAndAreNoMembers) {
  start_all();
  Page bob = open_in("bob", "room");
  Page nobody = watch("", "room");
  story_with(nobody, "sse-presence 1 bob");
}

TEST_F(TrackerTest, AStreamJoinsWatchesAndLeavesWhileItIsOpen) {
  start_all();
  Page ann = open_user("ann");
  Page bob = watch("bob", "room");
  story_with(bob, "sse-presence 1 bob");
  subscribe(ann, "ann", "room");
  story_with(bob, "sse-join 2 ann");
  hub_->watch_presence(ann.id, {UserId("ann")}, {ChannelName("room"), ChannelName("elsewhere")});
  story_with(ann, "sse-presence 2 ann bob");
  hub_->watch_presence(ann.id, {UserId("bob")}, {ChannelName("room")});
  unsubscribe(ann, "ann", "room");
  story_with(bob, "sse-leave 1 ann");
  EXPECT_THAT(story(ann), ElementsAre("sse-presence 2 ann bob")) << "nor is it told of a channel that it has left";
  EXPECT_EQ(metric("sse_presence_watchers"), 1);
}

TEST_F(TrackerTest, OneThatAsksAgainGetsAnotherSnapshot) {
  start_all();
  Page ann = watch("ann", "room");
  settle_all();  // bob would get the snapshot that is on its way to her
  Page bob = watch("bob", "room");
  story_with(bob, "sse-presence 2 ann bob");
  hub_->watch_presence(bob.id, {UserId("bob")}, {ChannelName("room")});
  settle_all();
  EXPECT_TRUE(eventually([&] {
    drain(bob);
    return std::ranges::count(story(bob), "sse-presence 2 ann bob") == 2;
  }));
  EXPECT_EQ(metric("sse_presence_watchers"), 2);
  ASSERT_TRUE(close(bob, "bob"));
  story_with(ann, "sse-leave 1 bob");
  EXPECT_EQ(metric("sse_presence_watchers"), 1);
}

TEST_F(TrackerTest, AboveTheLimitThereAreOnlyNumbersAndFewer) {
  tracking_.max_listed = 3;
  start_all();
  Page ann = watch("ann", "room");
  std::vector<Page> crowd;
  for (int i = 0; i < 4; ++i) crowd.push_back(open_in("u" + std::to_string(i), "room"));
  story_with(ann, "sse-presence 5");
  Page late = watch("late", "room");
  story_with(late, "sse-presence 6");
  settle_all();
  const std::size_t before = story(ann).size();
  for (int i = 4; i < 9; ++i) {
    crowd.push_back(open_in("u" + std::to_string(i), "room"));
    advance(milliseconds(20));
  }
  story_with(ann, "sse-presence 11");
  EXPECT_LE(story(ann).size(), before + 3);
  for (std::size_t i = 0; i < crowd.size(); ++i) ASSERT_TRUE(close(crowd[i], "u" + std::to_string(i)));
  story_with(ann, "sse-presence 2 ann late");
}

TEST_F(TrackerTest, ReportsOfLargeChannelsComeInSlices) {
  options_.slice.steps = 1;
  start_all();
  std::vector<Page> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(watch("u" + std::to_string(i % 20), "room"));
  settle_all();
  Page ann = watch("ann", "room");
  settle_all();
  EXPECT_TRUE(eventually([&] {
    drain(ann);
    return !story(ann).empty();
  }));
  EXPECT_THAT(story(ann).front(), HasSubstr("sse-presence 21 ann u0 u1 "));
  for (Page& one : crowd) {
    EXPECT_TRUE(eventually([&] {
      drain(one);
      const std::vector<std::string> all = story(one);
      return !all.empty() && (all.front().starts_with("sse-presence 21 ") || all.size() > 1);
    }));
  }
}

// Each knows the same members in the end, whatever slices its events came in.
TEST_F(TrackerTest, StreamsThatLeaveWhileTheyAreReportedAreNoMembers) {
  options_.slice.steps = 1;
  start_all(1);
  std::vector<Page> crowd;
  for (int i = 0; i < 30; ++i) crowd.push_back(open_in("u" + std::to_string(i), "room"));
  Page ann = open({.user = "ann", .channel = "room"});
  EXPECT_FALSE(tracker_->watched(ServiceName("hr"), "room", hub::Watch::kNew));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(close(crowd[static_cast<std::size_t>(i)], "u" + std::to_string(i)));
    if (i % 3 == 0) crowd[static_cast<std::size_t>(i)] = open_in("u" + std::to_string(i), "room");
  }
  tracker_->unwatched(ServiceName("hr"), "room");
  advance(seconds(6));
  EXPECT_EQ(metric("sse_presence_members"), 11);
}

TEST_F(TrackerTest, AChannelThatNoneWatchesIsForgottenAfterAWhile) {
  start_all();
  Page bob = open_in("bob", "room");
  Page ann = watch("ann", "room");
  story_with(ann, "sse-presence 2 ann bob");
  ASSERT_TRUE(close(ann, "ann"));
  advance(Tracker::kLinger - seconds(1));
  EXPECT_EQ(metric("sse_presence_channels"), 1);
  Page again = watch("ann", "room");
  story_with(again, "sse-presence 2 ann bob");
  advance(seconds(30));
  EXPECT_EQ(metric("sse_presence_channels"), 1);
  ASSERT_TRUE(close(again, "ann"));
  advance(Tracker::kLinger + seconds(1));
  EXPECT_EQ(metric("sse_presence_channels"), 0);
  EXPECT_EQ(metric("sse_presence_members"), 0);
  Page last = watch("cid", "room");
  story_with(last, "sse-presence 2 bob cid");
}

TEST_F(TrackerTest, AThousandJoinsAndLeavesAreNoChange) {
  start_all();
  Page ann = watch("ann", "room");
  Page bob = open_user("bob");
  story_with(ann, "sse-presence 1 ann");
  for (int i = 0; i < 1000; ++i) {
    subscribe(bob, "bob", "room");
    unsubscribe(bob, "bob", "room");
  }
  subscribe(bob, "bob", "room");
  story_with(ann, "sse-join 2 bob");
  advance(seconds(20));
  Page cid = open_in("cid", "room");
  EXPECT_THAT(story_with(ann, "sse-join 3 cid"), ElementsAre("sse-presence 1 ann", "sse-join 2 bob", "sse-join 3 cid"));
}

TEST_F(TrackerTest, AThousandWatchesAreOneChannel) {
  start_all();
  Page bob = open_user("bob");
  for (int i = 0; i < 1000; ++i) {
    subscribe(bob, "bob", "room");
    hub_->watch_presence(bob.id, {UserId("bob")}, {ChannelName("room")});
    unsubscribe(bob, "bob", "room");
  }
  settle_all();
  EXPECT_EQ(metric("sse_presence_watchers"), 0);
  EXPECT_EQ(metric("sse_presence_channels"), 1);
  drain(bob);
  EXPECT_LE(story(bob).size(), 2U);
}

TEST_F(TrackerTest, TellsWhichChannelsAreOccupied) {
  occupied_ = true;
  start_all();
  Page ann = open_in("ann", "a");
  Page bob = open_in("bob", "a");
  Page cid = open_in("cid", "b");
  settle_all();
  EXPECT_THAT(occupied_story(), ElementsAre("+a", "+b"));
  ASSERT_TRUE(close(ann, "ann"));
  ASSERT_TRUE(close(cid, "cid"));
  advance(seconds(4));
  EXPECT_EQ(occupied_story().size(), 2U);
  advance(seconds(2));
  EXPECT_THAT(occupied_story(), ElementsAre("+a", "+b", "-b"));
  unsubscribe(bob, "bob", "a");
  advance(seconds(6));
  EXPECT_THAT(occupied_story(), ElementsAre("+a", "+b", "-b", "-a"));
}

}  // namespace
}  // namespace sse::presence
