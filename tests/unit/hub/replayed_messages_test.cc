#include "hub/replayed_messages.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace sse::hub {
namespace {

using namespace std::chrono_literals;

std::vector<event::FrameRef> page(const std::vector<std::uint64_t>& ids) {
  std::vector<event::FrameRef> frames;
  for (const std::uint64_t id : ids) frames.push_back(event::Frame::make("data:x\n\n", MessageId(id)));
  return frames;
}

TEST(ReplayedMessages, KnowsEachWhateverTheirOrder) {
  ReplayedMessages given;
  const SteadyTime now{};
  given.add(page({10, 20, 30}), now);
  given.add(page({5, 25, 0}), now + 1s);
  given.add(page({40}), now + 1s);
  for (const std::uint64_t id : {5U, 10U, 20U, 25U, 30U, 40U}) EXPECT_TRUE(given.contains(MessageId(id))) << id;
  for (const std::uint64_t id : {1U, 6U, 15U, 26U, 41U}) EXPECT_FALSE(given.contains(MessageId(id))) << id;
  // Events that are no messages are not noted.
  EXPECT_FALSE(given.contains(MessageId()));
}

TEST(ReplayedMessages, KeepsEachForAsLongAsItMayStillArriveLive) {
  ReplayedMessages given;
  const SteadyTime now{};
  given.add(page({1}), now);
  given.add(page({2}), now + 9s);
  given.expire(now + 9s);
  EXPECT_TRUE(given.contains(MessageId(1)));
  given.expire(now + 11s);
  given.add(page({3}), now + 12s);
  given.expire(now + 18s);
  EXPECT_TRUE(given.contains(MessageId(2)));
  given.expire(now + 21s);
  EXPECT_FALSE(given.contains(MessageId(2)));
  EXPECT_TRUE(given.contains(MessageId(3)));
  given.expire(now + 100s);
  EXPECT_TRUE(given.empty());
  // It may be looked after late.
  given.add(page({4}), now + 110s);
  given.add(page({5}), now + 140s);
  given.expire(now + 141s);
  EXPECT_TRUE(given.contains(MessageId(5)));
}

}  // namespace
}  // namespace sse::hub
