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

std::vector<std::string> take(FailedReads& reads, SteadyTime now, std::uint64_t closed = 0) {
  std::vector<std::string> taken;
  for (const FailedReads::Pass& one : reads.take_due(now, [&](ConnectionId id) { return id.value() != closed; })) {
    std::string text = one.connection.str();
    for (const std::string& event : one.only_events) text += " " + event;
    taken.push_back(text);
  }
  return taken;
}

TEST(FailedReads, RetriesOnePassAtATimeWhileTheStoreCannotBeRead) {
  FailedReads reads;
  reads.set_readable(false);
  for (const std::uint64_t id : {1U, 2U, 3U}) reads.add(pass(id));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay - milliseconds(1)), IsEmpty());
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("2"));
  reads.add(pass(2));
  EXPECT_THAT(take(reads, kStart + 2 * FailedReads::kRetryDelay), ElementsAre("3"));
}

TEST(FailedReads, RetriesAllOnceTheStoreCanBeRead) {
  FailedReads reads;
  reads.set_readable(false);
  for (const std::uint64_t id : {1U, 2U, 3U}) reads.add(pass(id));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  reads.set_readable(true);
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("2", "3"));
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, RecordsAPassOnceHoweverManyOfItsPagesFailed) {
  FailedReads reads;
  for (int i = 0; i < 3; ++i) reads.add(pass(1));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1"));
  EXPECT_TRUE(reads.empty());
}

TEST(FailedReads, RetriesOnePassPerConnectionAtATime) {
  FailedReads reads;
  reads.add(pass(1));
  reads.add(pass(1, {"news"}));
  reads.add(pass(2));
  EXPECT_THAT(take(reads, kStart), ElementsAre("1", "2"));
  EXPECT_THAT(take(reads, kStart + FailedReads::kRetryDelay), ElementsAre("1 news"));
}

TEST(FailedReads, ForgetsConnectionsThatAreGone) {
  FailedReads reads;
  reads.set_readable(false);
  reads.add(pass(1));
  reads.add(pass(2));
  EXPECT_THAT(take(reads, kStart, 1), ElementsAre("2"));
  EXPECT_TRUE(reads.empty());
}

}  // namespace
}  // namespace sse::hub
