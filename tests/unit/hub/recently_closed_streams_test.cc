#include "hub/recently_closed_streams.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/step_count.h"

namespace sse::hub {
namespace {

using event::TargetKind;

RecentlyClosedStreams::Stream stream(std::uint64_t connection, const std::string& client,
                                     std::vector<std::uint64_t> messages) {
  RecentlyClosedStreams::Stream gone;
  gone.connection = ConnectionId(connection);
  gone.client = client;
  gone.names.at(static_cast<std::size_t>(TargetKind::kUser)) = "u";
  for (const std::uint64_t id : messages)
    gone.in_flight.sent(MessageId(id), TargetKind::kUser, steady_now(), std::chrono::seconds(30));
  return gone;
}

TEST(RecentlyClosedStreams, TakesConfirmationsThatComeLate) {
  RecentlyClosedStreams recently_closed;
  recently_closed.add(stream(10, "c", {1, 2}), steady_now());
  EXPECT_FALSE(recently_closed.confirm({"other"}, ConnectionId(10), {MessageId(1)})) << "another user's";
  EXPECT_FALSE(recently_closed.confirm({"u"}, ConnectionId(11), {MessageId(1)}));
  const auto confirmed = recently_closed.confirm({"u"}, ConnectionId(10), {MessageId(1), MessageId(3)});
  ASSERT_TRUE(confirmed);
  ASSERT_EQ(confirmed->size(), 1U);
  EXPECT_EQ(confirmed->front().name, "u");
  EXPECT_TRUE(recently_closed.confirm({"u"}, ConnectionId(10), {MessageId(1)})->empty());
}

TEST(RecentlyClosedStreams, ConfirmsForTheSameClientOnly) {
  RecentlyClosedStreams recently_closed;
  recently_closed.add(stream(10, "c", {1, 2}), steady_now());
  recently_closed.add(stream(11, "d", {1, 2}), steady_now());
  EXPECT_EQ(recently_closed.confirm_through({"u"}, "c", 1).size(), 1U);
  EXPECT_TRUE(recently_closed.confirm_through({"u"}, "", 2).empty());
  EXPECT_EQ(recently_closed.confirm_client({"u"}, "d", {MessageId(1), MessageId(2)}).size(), 2U);
  EXPECT_EQ(recently_closed.confirm_client({"u"}, "c", {MessageId(1), MessageId(2)}).size(), 1U);
}

TEST(RecentlyClosedStreams, TakesNothingFromTheSameUserOfAnotherTenant) {
  RecentlyClosedStreams recently_closed;
  RecentlyClosedStreams::Stream acme = stream(10, "c", {1, 2});
  acme.names.at(static_cast<std::size_t>(TargetKind::kTenant)) = "acme";
  recently_closed.add(std::move(acme), steady_now());
  for (const std::string tenant : {"", "other"}) {
    const RecentlyClosedStreams::Owner stranger{"u", tenant};
    EXPECT_FALSE(recently_closed.confirm(stranger, ConnectionId(10), {MessageId(1)})) << tenant;
    EXPECT_TRUE(recently_closed.confirm_client(stranger, "c", {MessageId(1)}).empty()) << tenant;
    EXPECT_TRUE(recently_closed.confirm_through(stranger, "c", 2).empty()) << tenant;
    EXPECT_FALSE(recently_closed.knows(stranger, "c")) << tenant;
  }
  EXPECT_EQ(recently_closed.confirm_through({"u", "acme"}, "c", 2).size(), 2U);
}

TEST(RecentlyClosedStreams, FindsTheStreamsOfAClientAmongManyOfItsUser) {
  std::vector<std::uint64_t> steps;
  for (const std::uint64_t n : {1000U, 2000U}) {
    RecentlyClosedStreams recently_closed;
    for (std::uint64_t i = 1; i <= n; ++i) recently_closed.add(stream(i, "c" + std::to_string(i), {i}), steady_now());
    const std::uint64_t before = steps_counted();
    for (std::uint64_t i = 1; i <= n; ++i) {
      EXPECT_TRUE(recently_closed.knows({"u"}, "c" + std::to_string(i)));
      EXPECT_EQ(recently_closed.confirm({"u"}, ConnectionId(i), {MessageId(i)})->size(), 1U);
      EXPECT_TRUE(recently_closed.confirm_client({"u"}, "c" + std::to_string(i), {MessageId(i)}).empty());
      EXPECT_TRUE(recently_closed.confirm_through({"u"}, "c" + std::to_string(i), i).empty());
    }
    steps.push_back(steps_counted() - before);
  }
  EXPECT_LE(steps[1], 2 * steps[0] + 100);
  EXPECT_LE(steps[1], 2000 * 12U);
}

TEST(RecentlyClosedStreams, LooksThroughABoundedNumberOfStreamsOfOneClient) {
  RecentlyClosedStreams recently_closed;
  for (std::uint64_t i = 1; i <= 1000; ++i) recently_closed.add(stream(i, "c", {1, 2, 3}), steady_now());
  recently_closed.add(stream(2000, "d", {1}), steady_now());
  EXPECT_EQ(recently_closed.confirm_client({"u"}, "c", {MessageId(2)}).size(),
            RecentlyClosedStreams::kMaxStreamsPerClient);
  EXPECT_FALSE(recently_closed.confirm({"u"}, ConnectionId(1), {MessageId(1)})) << "the oldest goes";
  EXPECT_TRUE(recently_closed.confirm({"u"}, ConnectionId(1000), {MessageId(1)}));
  EXPECT_TRUE(recently_closed.confirm({"u"}, ConnectionId(2000), {MessageId(1)}));
  recently_closed.expire(steady_now() + std::chrono::minutes(6));
  EXPECT_TRUE(recently_closed.empty());
  EXPECT_EQ(recently_closed.bytes(), 0U);
}

// Ten thousand streams with ids of 7 kB were 81 MiB.
TEST(RecentlyClosedStreams, IsBoundedInBytesWhateverTheNamesAre) {
  RecentlyClosedStreams recently_closed;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    RecentlyClosedStreams::Stream gone = stream(i, std::string(7000, 'c') + std::to_string(i), {1});
    gone.names.at(static_cast<std::size_t>(TargetKind::kChannel)) = std::string(1000, 'h');
    recently_closed.add(std::move(gone), steady_now());
    ASSERT_LE(recently_closed.bytes(), RecentlyClosedStreams::kMaxBytes);
  }
  EXPECT_GT(recently_closed.bytes(), RecentlyClosedStreams::kMaxBytes / 2);
  EXPECT_TRUE(recently_closed.confirm({"u"}, ConnectionId(10'000), {}));
  EXPECT_FALSE(recently_closed.confirm({"u"}, ConnectionId(1), {}));
  recently_closed.expire(steady_now() + std::chrono::minutes(6));
  EXPECT_EQ(recently_closed.bytes(), 0U);
}

TEST(RecentlyClosedStreams, ForgetsWhatIsOldAndWhatIsTooMuch) {
  RecentlyClosedStreams recently_closed;
  const SteadyTime now = steady_now();
  recently_closed.add(stream(10, "c", {1}), now);
  recently_closed.expire(now + std::chrono::minutes(1));
  EXPECT_FALSE(recently_closed.empty());
  recently_closed.expire(now + std::chrono::minutes(6));
  EXPECT_TRUE(recently_closed.empty());
  EXPECT_FALSE(recently_closed.confirm({"u"}, ConnectionId(10), {MessageId(1)}));
  for (std::uint64_t i = 0; i < 30; ++i) {
    RecentlyClosedStreams::Stream large = stream(i + 1, "c", {1});
    for (std::uint64_t id = 2; id < 20'000; ++id)
      large.in_flight.sent(MessageId(id), TargetKind::kUser, now, std::chrono::seconds(30));
    recently_closed.add(std::move(large), now);
  }
  EXPECT_FALSE(recently_closed.confirm({"u"}, ConnectionId(1), {}));
  EXPECT_TRUE(recently_closed.confirm({"u"}, ConnectionId(30), {}));
}

}  // namespace
}  // namespace sse::hub
