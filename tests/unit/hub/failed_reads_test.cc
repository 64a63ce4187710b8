#include "hub/failed_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sse::hub {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SteadyTime kStart{std::chrono::hours(1)};

FailedReads::Pass pass(std::uint64_t connection, std::vector<std::string> only_events = {}) {
  return {ConnectionId(connection), std::move(only_events)};
}

void add(FailedReads& reads, FailedReads::Pass pass) {
  const auto any = [](const std::string&) { return true; };
  reads.add(std::move(pass), any, any);
}

std::vector<std::string> take(FailedReads& reads, SteadyTime now, std::uint64_t closed = 0) {
  std::vector<std::string> taken;
  for (const FailedReads::Pass& one : reads.take_due(now, [&](ConnectionId id) { return id.value() != closed; })) {
    std::string text = one.connection.str();
    for (const std::string& event : one.only_events) text += " " + event;
    for (const std::string& channel : one.only_channels) text += " #" + channel;
    taken.push_back(text);
  }
  return taken;
}

TEST(FailedReads, RetriesOnePassAtATimeWhileTheStoreCannotBeRead) {
  FailedReads reads;
  reads.set_readable(false);
  for (const std::uint64_t id : {1U, 2U, 3U}) add(reads, pass(id));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay - milliseconds(1)), IsEmpty());
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("2"));
  add(reads, pass(2));
  EXPECT_THAT(take(reads, kStart + 2 * FailedReads::kRetryDelay), ElementsAre("3"));
}

TEST(FailedReads, RetriesAllOnceTheStoreCanBeRead) {
  FailedReads reads;
  reads.set_readable(false);
  for (const std::uint64_t id : {1U, 2U, 3U}) add(reads, pass(id));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  reads.set_readable(true);
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("2", "3"));
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, RecordsAPassOnceHoweverManyOfItsPagesFailed) {
  FailedReads reads;
  for (int i = 0; i < 3; ++i) add(reads, pass(1));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, RetriesOnePassPerConnectionAtATime) {
  FailedReads reads;
  add(reads, pass(1));
  add(reads, pass(1, {"news"}));
  add(reads, pass(2));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1", "2"));
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("1 news"));
}

TEST(FailedReads, JoinsWhatIsReadForAConnection) {
  FailedReads reads;
  add(reads, {ConnectionId(1), {}, {"b"}});
  add(reads, {ConnectionId(1), {"news"}});
  add(reads, {ConnectionId(1), {}, {"a", "b"}});
  add(reads, {ConnectionId(1), {}});
  add(reads, {ConnectionId(1), {"other", "news"}});
  SteadyTime now = kStart;
  EXPECT_THAT(take(reads, now), ElementsAre("1"));
  EXPECT_THAT(take(reads, now += FailedReads::kRetryDelay), ElementsAre("1 news other"));
  EXPECT_THAT(take(reads, now += FailedReads::kRetryDelay), ElementsAre("1 #a #b"));
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, ForgetsWhatAConnectionNoLongerListensToOrIsIn) {
  FailedReads reads;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i);
    const auto is_last = [&](const std::string& one) { return one == name; };
    reads.add({ConnectionId(1), {name}}, is_last, is_last);
    reads.add({ConnectionId(1), {}, {name}}, is_last, is_last);
  }
  EXPECT_THAT(take(reads, kStart), ElementsAre("1 999"));
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("1 #999"));
  reads.add(
      {ConnectionId(2), {}, {"left"}}, [](const auto&) { return true; }, [](const auto&) { return false; });
  EXPECT_THAT(take(reads, kStart + 2 * FailedReads::kRetryDelay), IsEmpty());
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, ForgetsConnectionsThatAreGone) {
  FailedReads reads;
  reads.set_readable(false);
  add(reads, pass(1));
  add(reads, pass(2));
  EXPECT_THAT(take(reads, kStart, 1), ElementsAre("2"));
  EXPECT_TRUE(reads.empty());
}

}  // namespace
}  // namespace sse::hub
