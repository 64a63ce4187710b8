#include "hub/departed.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/step_count.h"

namespace sse::hub {
namespace {

using event::TargetKind;

Departed::Stream stream(std::uint64_t connection, const std::string& client, std::vector<std::uint64_t> messages) {
  Departed::Stream gone;
  gone.connection = ConnectionId(connection);
  gone.client = client;
  gone.names.at(static_cast<std::size_t>(TargetKind::kUser)) = "u";
  for (const std::uint64_t id : messages)
    gone.in_flight.sent(MessageId(id), TargetKind::kUser, steady_now(), std::chrono::seconds(30));
  return gone;
}

TEST(Departed, TakesConfirmationsThatComeLate) {
  Departed departed;
  departed.add(stream(10, "c", {1, 2}), steady_now());
  EXPECT_FALSE(departed.confirm({"other"}, ConnectionId(10), {MessageId(1)})) << "somebody else's";
  EXPECT_FALSE(departed.confirm({"u"}, ConnectionId(11), {MessageId(1)}));
  const auto confirmed = departed.confirm({"u"}, ConnectionId(10), {MessageId(1), MessageId(3)});
  ASSERT_TRUE(confirmed);
  ASSERT_EQ(confirmed->size(), 1U);
  EXPECT_EQ(confirmed->front().name, "u");
  EXPECT_TRUE(departed.confirm({"u"}, ConnectionId(10), {MessageId(1)})->empty());
}

TEST(Departed, ConfirmsForTheSameClientOnly) {
  Departed departed;
  departed.add(stream(10, "c", {1, 2}), steady_now());
  departed.add(stream(11, "d", {1, 2}), steady_now());
  EXPECT_EQ(departed.confirm_through({"u"}, "c", 1).size(), 1U);
  EXPECT_TRUE(departed.confirm_through({"u"}, "", 2).empty());
  EXPECT_EQ(departed.confirm_client({"u"}, "d", {MessageId(1), MessageId(2)}).size(), 2U);
  EXPECT_EQ(departed.confirm_client({"u"}, "c", {MessageId(1), MessageId(2)}).size(), 1U);
}

TEST(Departed, TakesNothingFromTheSameUserOfAnotherTenant) {
  Departed departed;
  Departed::Stream acme = stream(10, "c", {1, 2});
  acme.names.at(static_cast<std::size_t>(TargetKind::kTenant)) = "acme";
  departed.add(std::move(acme), steady_now());
  for (const std::string tenant : {"", "other"}) {
    const Departed::Owner stranger{"u", tenant};
    EXPECT_FALSE(departed.confirm(stranger, ConnectionId(10), {MessageId(1)})) << tenant;
    EXPECT_TRUE(departed.confirm_client(stranger, "c", {MessageId(1)}).empty()) << tenant;
    EXPECT_TRUE(departed.confirm_through(stranger, "c", 2).empty()) << tenant;
    EXPECT_FALSE(departed.knows(stranger, "c")) << tenant;
  }
  EXPECT_EQ(departed.confirm_through({"u", "acme"}, "c", 2).size(), 2U);
}

TEST(Departed, FindsTheStreamsOfAClientAmongManyOfItsUser) {
  std::vector<std::uint64_t> steps;
  for (const std::uint64_t n : {1000U, 2000U}) {
    Departed departed;
    for (std::uint64_t i = 1; i <= n; ++i) departed.add(stream(i, "c" + std::to_string(i), {i}), steady_now());
    const std::uint64_t before = steps_counted();
    for (std::uint64_t i = 1; i <= n; ++i) {
      EXPECT_TRUE(departed.knows({"u"}, "c" + std::to_string(i)));
      EXPECT_EQ(departed.confirm({"u"}, ConnectionId(i), {MessageId(i)})->size(), 1U);
      EXPECT_TRUE(departed.confirm_client({"u"}, "c" + std::to_string(i), {MessageId(i)}).empty());
      EXPECT_TRUE(departed.confirm_through({"u"}, "c" + std::to_string(i), i).empty());
    }
    steps.push_back(steps_counted() - before);
  }
  EXPECT_LE(steps[1], 2 * steps[0] + 100);
  EXPECT_LE(steps[1], 2000 * 12U);
}

TEST(Departed, LooksThroughABoundedNumberOfStreamsOfOneClient) {
  Departed departed;
  for (std::uint64_t i = 1; i <= 1000; ++i) departed.add(stream(i, "c", {1, 2, 3}), steady_now());
  departed.add(stream(2000, "d", {1}), steady_now());
  EXPECT_EQ(departed.confirm_client({"u"}, "c", {MessageId(2)}).size(), Departed::kMaxStreamsPerClient);
  EXPECT_FALSE(departed.confirm({"u"}, ConnectionId(1), {MessageId(1)})) << "the oldest goes";
  EXPECT_TRUE(departed.confirm({"u"}, ConnectionId(1000), {MessageId(1)}));
  EXPECT_TRUE(departed.confirm({"u"}, ConnectionId(2000), {MessageId(1)}));
  departed.expire(steady_now() + std::chrono::minutes(6));
  EXPECT_TRUE(departed.empty());
  EXPECT_EQ(departed.bytes(), 0U);
}

// Ten thousand streams with ids of 7 kB were 81 MiB.
TEST(Departed, IsBoundedInBytesWhateverTheNamesAre) {
  Departed departed;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    Departed::Stream gone = stream(i, std::string(7000, 'c') + std::to_string(i), {1});
    gone.names.at(static_cast<std::size_t>(TargetKind::kChannel)) = std::string(1000, 'h');
    departed.add(std::move(gone), steady_now());
    ASSERT_LE(departed.bytes(), Departed::kMaxBytes);
  }
  EXPECT_GT(departed.bytes(), Departed::kMaxBytes / 2);
  EXPECT_TRUE(departed.confirm({"u"}, ConnectionId(10'000), {}));
  EXPECT_FALSE(departed.confirm({"u"}, ConnectionId(1), {}));
  departed.expire(steady_now() + std::chrono::minutes(6));
  EXPECT_EQ(departed.bytes(), 0U);
}

TEST(Departed, ForgetsWhatIsOldAndWhatIsTooMuch) {
  Departed departed;
  const SteadyTime now = steady_now();
  departed.add(stream(10, "c", {1}), now);
  departed.expire(now + std::chrono::minutes(1));
  EXPECT_FALSE(departed.empty());
  departed.expire(now + std::chrono::minutes(6));
  EXPECT_TRUE(departed.empty());
  EXPECT_FALSE(departed.confirm({"u"}, ConnectionId(10), {MessageId(1)}));
  for (std::uint64_t i = 0; i < 30; ++i) {
    Departed::Stream large = stream(i + 1, "c", {1});
    for (std::uint64_t id = 2; id < 20'000; ++id)
      large.in_flight.sent(MessageId(id), TargetKind::kUser, now, std::chrono::seconds(30));
    departed.add(std::move(large), now);
  }
  EXPECT_FALSE(departed.confirm({"u"}, ConnectionId(1), {}));
  EXPECT_TRUE(departed.confirm({"u"}, ConnectionId(30), {}));
}

}  // namespace
}  // namespace sse::hub
