#include "hub/replay_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using State = ReplaySession::Output::State;
using Held = ReplaySession::Held;

constexpr std::uint64_t kNoLimit = 1'000'000;

event::FrameRef frame(std::uint64_t message) {
  return event::Frame::make("data:" + std::to_string(message) + "\n\n", MessageId(message), event::TargetKind::kUser);
}

std::vector<event::FrameRef> page(const std::vector<std::uint64_t>& messages) {
  std::vector<event::FrameRef> frames;
  for (const std::uint64_t message : messages) frames.push_back(frame(message));
  return frames;
}

std::vector<std::uint64_t> ids(const std::vector<event::FrameRef>& frames) {
  std::vector<std::uint64_t> messages;
  for (const event::FrameRef& one : frames) messages.push_back(one->message().value());
  return messages;
}

std::vector<std::uint64_t> ids(const std::vector<MessageId>& messages) {
  std::vector<std::uint64_t> numbers;
  for (const MessageId message : messages) numbers.push_back(message.value());
  return numbers;
}

// A stream with a backlog of a few frames, whose socket takes everything when the test says so.
struct Stream final : ReplaySession::Output {
  bool fits(const event::Frame&) const override { return backlog < room; }
  bool append(const event::FrameRef& one) override {
    if (closes_at == one->message().value()) open = false;
    if (!open) return false;
    taken.push_back(one->message().value());
    ++backlog;
    return true;
  }
  State flush() override {
    if (!open) return State::kClosed;
    if (drains) backlog = 0;
    return backlog > 0 ? State::kBacklog : State::kEmpty;
  }

  std::size_t room = 100;
  std::size_t backlog = 0;
  bool drains = true;
  bool open = true;
  std::uint64_t closes_at = 0;
  std::vector<std::uint64_t> taken;
};

TEST(ReplaySession, WritesAPageAndRemembersHowFarItHasRead) {
  ReplaySession session(MessageId(3));
  EXPECT_EQ(session.cursor(), MessageId(3));
  EXPECT_TRUE(session.reads_all());
  Stream stream;
  EXPECT_THAT(ids(session.begin_page(page({5, 7}), MessageId(9), false)), ElementsAre(5, 7));
  EXPECT_EQ(session.write_page(stream), State::kEmpty);
  EXPECT_THAT(stream.taken, ElementsAre(5, 7));
  EXPECT_EQ(session.cursor(), MessageId(9));
  EXPECT_FALSE(session.at_last_page());
  session.begin_page({}, MessageId(9), true);
  EXPECT_EQ(session.write_page(stream), State::kEmpty);
  EXPECT_TRUE(session.at_last_page());
  EXPECT_FALSE(session.next_pass(MessageId(9)));
}

TEST(ReplaySession, WaitsWhileTheStreamIsFullAndGoesOnWhereItStopped) {
  ReplaySession session;
  Stream stream;
  stream.room = 2;
  stream.drains = false;
  session.begin_page(page({1, 2, 3, 4, 5}), MessageId(5), true);
  EXPECT_EQ(session.write_page(stream), State::kBacklog);
  EXPECT_TRUE(session.waits());
  EXPECT_THAT(stream.taken, ElementsAre(1, 2));
  stream.backlog = 0;
  EXPECT_EQ(session.write_page(stream), State::kBacklog);
  EXPECT_THAT(stream.taken, ElementsAre(1, 2, 3, 4));
  stream.drains = true;
  EXPECT_EQ(session.write_page(stream), State::kEmpty);
  EXPECT_FALSE(session.waits());
  EXPECT_THAT(stream.taken, ElementsAre(1, 2, 3, 4, 5));
}

// The next page is read only when the client has taken this one.
TEST(ReplaySession, WaitsForTheSocketToTakeTheEndOfAPage) {
  ReplaySession session;
  Stream stream;
  stream.drains = false;
  session.begin_page(page({1}), MessageId(1), false);
  EXPECT_EQ(session.write_page(stream), State::kBacklog);
  EXPECT_TRUE(session.waits());
}

TEST(ReplaySession, StopsWhenTheStreamCloses) {
  ReplaySession session;
  Stream stream;
  stream.closes_at = 2;
  session.begin_page(page({1, 2, 3}), MessageId(3), true);
  EXPECT_EQ(session.write_page(stream), State::kClosed);
  EXPECT_THAT(stream.taken, ElementsAre(1));
  EXPECT_FALSE(session.waits());
}

TEST(ReplaySession, HoldsLiveEventsInTheirOrder) {
  ReplaySession session;
  EXPECT_EQ(session.hold(frame(8), 10, kNoLimit), Held::kHeld);
  EXPECT_EQ(session.hold(frame(0), 10, kNoLimit), Held::kHeld);
  EXPECT_EQ(session.hold(frame(6), 10, kNoLimit), Held::kHeld);
  EXPECT_THAT(ids(session.take_held()), ElementsAre(8, 0, 6));
  EXPECT_THAT(session.take_held(), IsEmpty());
}

TEST(ReplaySession, DropsHeldMessagesThatCameFromTheStore) {
  ReplaySession session;
  for (const std::uint64_t message : {5U, 6U, 0U, 7U}) session.hold(frame(message), 10, 40);
  const std::set<std::uint64_t> stored{5, 7};
  session.drop_held([&](MessageId message) { return stored.contains(message.value()); },
                    [](const event::Frame&) { return std::size_t{10}; });
  // Their bytes are free again.
  EXPECT_FALSE(session.overflows(20, 40));
  EXPECT_TRUE(session.overflows(21, 40));
  EXPECT_THAT(ids(session.take_held()), ElementsAre(6, 0));
}

TEST(ReplaySession, DropsTheMessagesOfAChannelThatTheStreamHasLeft) {
  const auto of_channel = [](std::uint64_t message, std::string_view channel = "c") {
    return event::Frame::make("data:x\n\n", MessageId(message), event::TargetKind::kChannel, channel);
  };
  const auto size = [](const event::Frame&) { return std::size_t{10}; };
  ReplaySession session;
  Stream stream;
  stream.room = 2;
  stream.drains = false;
  session.hold(of_channel(8), 10, 40);
  session.hold(frame(9), 10, 40);
  session.hold(frame(0), 10, 40);
  session.begin_page({of_channel(1), frame(2), of_channel(3), of_channel(4, "d"), of_channel(5)}, MessageId(5), true);
  EXPECT_EQ(session.write_page(stream), State::kBacklog);
  session.drop_messages_of("c", size);
  EXPECT_FALSE(session.overflows(20, 40)) << "their bytes are free again";
  EXPECT_TRUE(session.overflows(21, 40));
  stream.drains = true;
  EXPECT_EQ(session.write_page(stream), State::kEmpty);
  EXPECT_THAT(stream.taken, ElementsAre(1, 2, 4)) << "what has gone into the stream stays there";
  EXPECT_THAT(ids(session.take_held()), ElementsAre(9, 0));
}

TEST(ReplaySession, LeavesMessagesThatDoNotFitToTheStoreAndReadsItAgain) {
  ReplaySession session;
  EXPECT_EQ(session.hold(frame(5), 60, 100), Held::kHeld);
  EXPECT_EQ(session.hold(frame(6), 60, 100), Held::kLeftToStore);
  EXPECT_TRUE(session.next_pass(MessageId(4)));
  EXPECT_EQ(session.cursor(), MessageId(4));
  EXPECT_TRUE(session.reads_all());
  EXPECT_FALSE(session.next_pass(MessageId(6)));
}

TEST(ReplaySession, OverflowsWithEventsThatNoStoreHas) {
  ReplaySession session;
  EXPECT_EQ(session.hold(frame(0), 500, 100), Held::kHeld) << "a single event, however large";
  EXPECT_TRUE(session.overflows(1, 100));
  EXPECT_EQ(session.hold(frame(0), 1, 100), Held::kOverflow);
}

// Otherwise the message would overtake those that were left to the store, and the cursor would skip them.
TEST(ReplaySession, LeavesAllLaterMessagesOfAResumingStreamToTheStore) {
  ReplaySession session;
  session.resume(MessageId(4));
  EXPECT_EQ(session.hold(frame(5), 60, 100), Held::kHeld);
  EXPECT_EQ(session.hold(frame(6), 60, 100), Held::kLeftToStore);
  EXPECT_EQ(session.hold(frame(7), 10, 100), Held::kLeftToStore);
  EXPECT_EQ(session.hold(frame(0), 10, 100), Held::kHeld);
  ReplaySession other;
  other.hold(frame(5), 60, 100);
  other.hold(frame(6), 60, 100);
  EXPECT_EQ(other.hold(frame(7), 10, 100), Held::kHeld);
}

TEST(ReplaySession, ReadsOnlyTheMessagesForNewListenersFromTheStart) {
  ReplaySession session(MessageId(9));
  session.add_listeners({"news"});
  session.add_listeners({"mail"});
  EXPECT_TRUE(session.reads_all()) << "the pass that runs goes on";
  session.read_again();
  ASSERT_TRUE(session.next_pass(MessageId(9)));
  EXPECT_THAT(session.only_events(), ElementsAre("news", "mail"));
  EXPECT_FALSE(session.reads_all());
  EXPECT_EQ(session.cursor(), MessageId());
  ASSERT_TRUE(session.next_pass(MessageId(9)));
  EXPECT_THAT(session.only_events(), IsEmpty());
  EXPECT_EQ(session.cursor(), MessageId(9));
  EXPECT_FALSE(session.next_pass(MessageId(9)));
}

// The stream of a client that reads nothing changes them all the time, and its session waits.
TEST(ReplaySession, ForgetsListenersAndChannelsThatAreGoneAgain) {
  const auto size = [](const event::Frame&) { return std::size_t{10}; };
  ReplaySession session;
  session.add_channels({"b"}, false);
  session.add_listeners({"mail"});
  for (int i = 0; i < 1000; ++i) {
    session.add_listeners({"news"});
    session.drop_listeners({"news", "other"});
    session.add_channels({"a"}, false);
    session.add_catch_up({.channel = "c", .after = MessageId(1), .until = MessageId(2)});
    session.drop_messages_of("a", size);
    session.drop_messages_of("c", size);
  }
  ASSERT_TRUE(session.next_pass({}));
  EXPECT_THAT(session.only_events(), ElementsAre("mail"));
  ASSERT_TRUE(session.next_pass({}));
  EXPECT_THAT(session.only_channels(), ElementsAre("b"));
  EXPECT_FALSE(session.next_pass({}));
}

TEST(ReplaySession, KnowsWhatTheClientHasConfirmed) {
  ReplaySession session;
  for (const std::uint64_t message : {7U, 3U, 7U, 5U}) session.cover(MessageId(message));
  EXPECT_TRUE(session.covers(MessageId(3)));
  EXPECT_TRUE(session.covers(MessageId(5)));
  EXPECT_TRUE(session.covers(MessageId(7)));
  EXPECT_FALSE(session.covers(MessageId(4)));
}

TEST(ReplaySession, RedeliversOverdueMessagesFromTheFirstOnAndThenReadsNormally) {
  ReplaySession session(std::vector<MessageId>{MessageId(4), MessageId(8)});
  EXPECT_TRUE(session.redelivers());
  EXPECT_FALSE(session.reads_all());
  EXPECT_EQ(session.cursor(), MessageId(3));
  EXPECT_TRUE(session.is_overdue(MessageId(8)));
  EXPECT_FALSE(session.is_overdue(MessageId(5)));
  session.read_again();
  ASSERT_TRUE(session.next_pass(MessageId(2)));
  EXPECT_FALSE(session.redelivers());
  EXPECT_EQ(session.cursor(), MessageId(2));
}

TEST(ReplaySession, KnowsWhichOverdueMessagesTheStoreNoLongerHas) {
  ReplaySession session(std::vector<MessageId>{MessageId(4), MessageId(5), MessageId(8), MessageId(9)});
  EXPECT_THAT(ids(session.withdrawn(page({5}), MessageId(8), false)), ElementsAre(4, 8)) << "9 may be on the next page";
  session.begin_page(page({5}), MessageId(8), false);
  EXPECT_THAT(ids(session.withdrawn({}, MessageId(8), true)), ElementsAre(9)) << "the last page";
}

TEST(ReplaySession, MergesMissedEventsAndLeavesOutWhatArrivesLive) {
  ReplaySession session;
  EXPECT_FALSE(session.resumes());
  session.resume(MessageId(10), {{frame(6), MessageId(6)}}, MessageId(2));
  EXPECT_TRUE(session.resumes());
  EXPECT_TRUE(session.missing());
  // 11 was published after the stream had opened.
  EXPECT_THAT(ids(session.begin_page(page({4, 8, 11}), MessageId(11), false)), ElementsAre(4, 6, 8));
  EXPECT_FALSE(session.missing());
  EXPECT_TRUE(session.at_last_page());
  EXPECT_EQ(session.cursor(), MessageId(8));
}

// The buffer for live events was full: from then on the store is all there is.
TEST(ReplaySession, ReadsEverythingFromTheStoreInAFurtherPass) {
  ReplaySession session;
  session.resume(MessageId(10));
  session.read_again();
  ASSERT_TRUE(session.next_pass(MessageId(8)));
  EXPECT_THAT(ids(session.begin_page(page({11}), MessageId(11), true)), ElementsAre(11));
}

}  // namespace
}  // namespace sse::hub
