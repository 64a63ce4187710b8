#include "delivery/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/step_count.h"

namespace sse::delivery {
namespace {

TEST(Trace, TellsWhatHappenedToAMessageInOrder) {
  Trace trace;
  trace.add(MessageId(1), Trace::Step::kAccepted, wall_now());
  trace.add(MessageId(2), Trace::Step::kAccepted, wall_now());
  trace.add({wall_now(), MessageId(1), Trace::Step::kSent, event::TargetKind::kUser, "u", ConnectionId(7)});
  const auto story = trace.of(MessageId(1));
  ASSERT_EQ(story.size(), 2U);
  EXPECT_EQ(step_name(story[0].what), "accepted");
  EXPECT_EQ(step_name(story[1].what), "sent");
  EXPECT_EQ(story[1].connection, ConnectionId(7));
  EXPECT_TRUE(trace.of(MessageId(3)).empty());
}

TEST(Trace, RemembersTheContextOfAMessage) {
  Trace trace;
  EXPECT_FALSE(trace.context(MessageId(1)));
  const TraceContext first{.trace_id = {1}, .parent_id = {1}, .sampled = true};
  const TraceContext second{.trace_id = {2}, .parent_id = {2}};
  trace.set_context(MessageId(1), first);
  trace.set_context(MessageId(1), second);
  EXPECT_EQ(trace.context(MessageId(1)), first);
  EXPECT_FALSE(trace.context(MessageId(2)));
  for (std::uint64_t id = 2; id <= Trace::kMaxContexts + 1; ++id) trace.set_context(MessageId(id), second);
  EXPECT_FALSE(trace.context(MessageId(1)));
  EXPECT_EQ(trace.context(MessageId(2)), second);
}

TEST(Trace, IsBoundedInBytesWhereNamesAreLong) {
  Trace trace;
  const std::string name(1000, 'n');
  for (std::uint64_t id = 1; id <= 10'000; ++id)
    trace.add({wall_now(), MessageId(id), Trace::Step::kSent, event::TargetKind::kUser, name, ConnectionId(7)});
  EXPECT_TRUE(trace.of(MessageId(10'000 - Trace::kMaxNameBytes / name.size() - 1)).empty());
  EXPECT_EQ(trace.of(MessageId(10'000 - Trace::kMaxNameBytes / name.size() + 1)).size(), 1U);
}

TEST(Trace, TellsThatAnAttemptFailedAndWhy) {
  Trace trace;
  const WallTime start = wall_now();
  const auto at = [&](int ms) { return start + std::chrono::milliseconds(ms); };
  const auto happen = [&](int ms, Trace::Step what, std::string name, std::uint64_t connection) {
    trace.add({at(ms), MessageId(1), what, event::TargetKind::kUser, std::move(name), ConnectionId(connection)});
  };
  happen(1, Trace::Step::kSent, "a", 7);
  happen(2, Trace::Step::kSent, "a", 7);
  happen(3, Trace::Step::kSent, "b", 8);
  happen(4, Trace::Step::kConfirmed, "b", 8);
  trace.ended(ConnectionId(7), net::CloseReason::kConnectionLost, at(5));
  trace.ended(ConnectionId(8), net::CloseReason::kShutdown, at(6));
  trace.ended(ConnectionId(9), net::CloseReason::kShutdown, at(7));
  happen(8, Trace::Step::kSent, "a", 10);
  std::vector<std::string> reported;
  for (const Trace::Entry& entry : trace.of(MessageId(1)))
    reported.push_back(std::string(step_name(entry.what)) + " " + entry.name + " " + entry.connection.str() +
                       (entry.reason ? " " + std::string(net::reason_name(*entry.reason)) : ""));
  EXPECT_THAT(reported, ::testing::ElementsAre("sent a 7", "sent a 7", "sent b 8", "confirmed b 8",
                                               "failed a 7 connection-lost", "sent a 10"));
  // A confirmation that comes after the end makes it none.
  happen(9, Trace::Step::kConfirmed, "a", 7);
  EXPECT_EQ(trace.of(MessageId(1)).size(), 6U);
  EXPECT_EQ(trace.of(MessageId(1)).back().what, Trace::Step::kConfirmed);
}

TEST(Trace, RemembersAsManyEndsAsItMay) {
  Trace trace(100, 2);
  for (std::uint64_t c = 1; c <= 3; ++c) {
    trace.add({wall_now(), MessageId(c), Trace::Step::kSent, event::TargetKind::kUser, "u", ConnectionId(c)});
    trace.ended(ConnectionId(c), net::CloseReason::kClientClosed, wall_now());
    trace.ended(ConnectionId(c), net::CloseReason::kShutdown, wall_now());
  }
  EXPECT_EQ(trace.of(MessageId(1)).size(), 1U);
  EXPECT_EQ(trace.of(MessageId(3)).size(), 2U);
  EXPECT_EQ(trace.of(MessageId(3)).back().reason, net::CloseReason::kClientClosed);
}

// Every delivery on every loop is noted here.
TEST(Trace, MakesThreadsThatNoteWaitForEachOtherOncePerBatchAtMost) {
  Trace trace;
  std::vector<std::thread> loops;
  for (std::uint64_t loop = 1; loop <= 4; ++loop) {
    loops.emplace_back([&trace, loop] {
      for (std::uint64_t i = 1; i <= 5000; ++i)
        trace.add({wall_now(), MessageId(i), Trace::Step::kSent, event::TargetKind::kUser, "u", ConnectionId(loop)});
    });
  }
  for (std::thread& loop : loops) loop.join();
  EXPECT_LE(trace.batches(), 20'000 / 100U);
  for (const std::uint64_t message : {1U, 2500U, 5000U}) EXPECT_EQ(trace.of(MessageId(message)).size(), 4U);
}

TEST(Trace, TellsTheStoryOfOneMessageToThousandsWithoutComparingThemAll) {
  std::vector<std::uint64_t> steps;
  for (const std::uint64_t n : {2000U, 4000U}) {
    Trace trace;
    for (std::uint64_t i = 1; i <= n; ++i) {
      trace.add(
          {wall_now(), MessageId(1), Trace::Step::kSent, event::TargetKind::kUser, std::to_string(i), ConnectionId(i)});
      trace.ended(ConnectionId(i), net::CloseReason::kClientClosed, wall_now());
    }
    const std::uint64_t before = steps_counted();
    EXPECT_EQ(trace.of(MessageId(1)).size(), 2 * n);
    steps.push_back(steps_counted() - before);
  }
  EXPECT_LE(steps[1], 2 * steps[0] + 100);
}

TEST(Trace, ForgetsTheOldest) {
  Trace trace(3);
  for (std::uint64_t id = 1; id <= 5; ++id) trace.add(MessageId(id), Trace::Step::kAccepted, wall_now());
  EXPECT_TRUE(trace.of(MessageId(2)).empty());
  EXPECT_EQ(trace.of(MessageId(3)).size(), 1U);
  for (int i = 0; i < 2; ++i) trace.add(MessageId(5), Trace::Step::kSent, wall_now());
  const auto story = trace.of(MessageId(5));
  ASSERT_EQ(story.size(), 3U);
  EXPECT_EQ(story[0].what, Trace::Step::kAccepted);
}

}  // namespace
}  // namespace sse::delivery
