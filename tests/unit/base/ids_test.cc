#include "base/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <unordered_set>
#include <vector>

namespace sse {
namespace {

constexpr std::int64_t kNow = 1767225600000;  // 2026-01-01T00:00:00Z

unsigned node_of(std::uint64_t id) {
  return static_cast<unsigned>((id >> 12) & 0x3FF);
}

TEST(ParseId, ReadsDecimalUpToTheLargest) {
  EXPECT_EQ(parse_id("1"), 1U);
  EXPECT_EQ(parse_id("847140540416"), 847140540416U);
  EXPECT_EQ(parse_id("9223372036854775807"), 9223372036854775807U);
}

TEST(ParseId, RefusesAnythingElse) {
  for (const char* text : {"", "0", "-1", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "abc", "9223372036854775808",
                           "18446744073709551616", "99999999999999999999"}) {
    EXPECT_EQ(parse_id(text), std::nullopt) << text;
  }
}

TEST(IdGenerator, CarriesTimeAndNode) {
  IdGenerator ids(513);
  const std::uint64_t id = ids.next_at(from_millis(kNow));
  EXPECT_EQ(IdGenerator::time_of(id), from_millis(kNow));
  EXPECT_EQ(node_of(id), 513U);
}

TEST(IdGenerator, UsesTheLowTenBitsOfTheNode) {
  EXPECT_EQ(node_of(IdGenerator(0xFFFFFFFF).next_at(from_millis(kNow))), 0x3FFU);
  EXPECT_EQ(node_of(IdGenerator(1024 + 7).next_at(from_millis(kNow))), 7U);
}

TEST(IdGenerator, KeepsGrowingWhenTheClockGoesBack) {
  IdGenerator ids(1);
  std::uint64_t last = ids.next_at(from_millis(kNow));
  for (const std::int64_t back : {1, 1000, 86'400'000}) {
    const std::uint64_t id = ids.next_at(from_millis(kNow - back));
    EXPECT_GT(id, last);
    EXPECT_EQ(node_of(id), 1U);
    last = id;
  }
  EXPECT_GT(ids.next_at(from_millis(0)), last);
}

TEST(IdGenerator, ASequenceThatOverflowsBorrowsFromTheNextMillisecondAndKeepsItsNode) {
  IdGenerator ids(1023);
  std::uint64_t last = 0;
  for (int i = 0; i < 3 * 4096 + 5; ++i) {
    const std::uint64_t id = ids.next_at(from_millis(kNow));
    ASSERT_GT(id, last) << i;
    ASSERT_EQ(node_of(id), 1023U) << i;
    last = id;
  }
  EXPECT_EQ(IdGenerator::time_of(last), from_millis(kNow + 3));
}

TEST(IdGenerator, NodesNeverMeetEvenWhenSequencesOverflow) {
  IdGenerator a(1);
  IdGenerator b(2);
  std::unordered_set<std::uint64_t> seen;
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(seen.insert(a.next_at(from_millis(kNow))).second);
    ASSERT_TRUE(seen.insert(b.next_at(from_millis(kNow))).second);
  }
}

TEST(IdGenerator, StartsAboveTheFloorOfAFormerRun) {
  IdGenerator former(7);
  for (int i = 0; i < 5000; ++i) former.next_at(from_millis(kNow + 60'000));
  const std::uint64_t floor = former.next_at(from_millis(kNow + 60'000));
  IdGenerator ids(3, floor);
  const std::uint64_t id = ids.next_at(from_millis(kNow));
  EXPECT_GT(id, floor);
  EXPECT_EQ(node_of(id), 3U);
}

TEST(IdGenerator, RaisingTheFloorNeverLowersIt) {
  IdGenerator ids(3);
  const std::uint64_t first = ids.next_at(from_millis(kNow));
  ids.raise_floor(first - 1);
  EXPECT_GT(ids.next_at(from_millis(kNow)), first);
  ids.raise_floor(first + (1ULL << 40));
  EXPECT_GT(ids.next_at(from_millis(kNow)), first + (1ULL << 40));
}

TEST(IdGenerator, AClockBeforeItsEpochStillMakesValidIds) {
  IdGenerator ids(0);
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t id = ids.next_at(from_millis(-5));
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST(IdGenerator, FitsAJavaLong) {
  IdGenerator ids(1023);
  // 2093-09-06, the last day of 41 bits of milliseconds.
  const std::uint64_t id = ids.next_at(from_millis(1704067200000 + (1LL << 41) - 1));
  EXPECT_EQ(parse_id(std::to_string(id)), id);
}

TEST(IdGenerator, IsUniqueAndGrowingPerThreadUnderContention) {
  constexpr int kThreads = 4;
  constexpr std::size_t kEach = 20000;
  IdGenerator ids(9);
  std::vector<std::vector<std::uint64_t>> made(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&ids, &mine] {
      mine.reserve(kEach);
      for (std::size_t i = 0; i < kEach; ++i) mine.push_back(ids.next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::unordered_set<std::uint64_t> all;
  for (const auto& mine : made) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), kThreads * kEach);
}

TEST(StrongIds, HashOrderAndPrint) {
  const std::unordered_set<UserId> users{UserId("a"), UserId("a"), UserId("b")};
  EXPECT_EQ(users.size(), 2U);
  EXPECT_LT(ConnectionId(2), ConnectionId(10));
  EXPECT_FALSE(MessageId().valid());
  EXPECT_EQ(MessageId(847140540416).str(), "847140540416");
}

}  // namespace
}  // namespace sse
