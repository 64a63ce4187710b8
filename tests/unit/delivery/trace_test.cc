#include "delivery/trace.h"

#include <gtest/gtest.h>

namespace sse::delivery {
namespace {

TEST(Trace, TellsWhatHappenedToAMessageInOrder) {
  Trace trace;
  trace.add(MessageId(1), Trace::What::kAccepted);
  trace.add(MessageId(2), Trace::What::kAccepted);
  trace.add({wall_now(), MessageId(1), Trace::What::kSent, event::TargetKind::kUser, "u", ConnectionId(7)});
  const auto story = trace.of(MessageId(1));
  ASSERT_EQ(story.size(), 2U);
  EXPECT_EQ(what_name(story[0].what), "accepted");
  EXPECT_EQ(what_name(story[1].what), "sent");
  EXPECT_EQ(story[1].connection, ConnectionId(7));
  EXPECT_TRUE(trace.of(MessageId(3)).empty());
}

TEST(Trace, ForgetsTheOldest) {
  Trace trace(3);
  for (std::uint64_t id = 1; id <= 5; ++id) trace.add(MessageId(id), Trace::What::kAccepted);
  EXPECT_TRUE(trace.of(MessageId(2)).empty());
  EXPECT_EQ(trace.of(MessageId(3)).size(), 1U);
  for (int i = 0; i < 2; ++i) trace.add(MessageId(5), Trace::What::kSent);
  const auto story = trace.of(MessageId(5));
  ASSERT_EQ(story.size(), 3U);
  EXPECT_EQ(story[0].what, Trace::What::kAccepted);
}

}  // namespace
}  // namespace sse::delivery
