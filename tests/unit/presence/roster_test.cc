#include "presence/roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::presence {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr SteadyTime kStart{std::chrono::hours(1)};

// `+user profile` and `-user`.
std::vector<std::string> story(const RosterUpdate& update) {
  std::vector<std::string> all;
  if (update.all) all.emplace_back("all");
  if (update.count) all.push_back("count " + std::to_string(*update.count));
  for (const Member& one : update.joined)
    all.push_back("+" + one.id.user + (one.profile.empty() ? "" : " " + one.profile));
  for (const MemberId& one : update.left) all.push_back("-" + one.user);
  return all;
}

class RosterTest : public ::testing::Test {
 protected:
  void join(const std::string& user, const std::string& profile = "", const std::string& tenant = "") {
    roster_.joined({tenant, user}, profile);
  }
  void leave(const std::string& user, SteadyTime gone, const std::string& tenant = "") {
    roster_.left({tenant, user}, gone);
  }
  std::vector<std::string> update() { return story(roster_.take_update()); }

  Roster roster_{3};
};

TEST_F(RosterTest, AMemberIsThereOnceHoweverManyStreamsItHas) {
  join("ann");
  join("ann");
  join("bob");
  EXPECT_THAT(update(), ElementsAre("+ann", "+bob"));
  leave("ann", kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), IsEmpty());
  leave("ann", kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), ElementsAre("-ann"));
}

TEST_F(RosterTest, TheSameNameInTwoTenantsIsTwoMembers) {
  join("ann", "", "acme");
  join("ann", "", "corp");
  EXPECT_EQ(roster_.size(), 2U);
  leave("ann", kStart, "acme");
  roster_.expire(kStart);
  EXPECT_EQ(roster_.size(), 1U);
}

TEST_F(RosterTest, OneThatComesBackWithinTheGraceHasNotLeft) {
  join("ann");
  update();
  leave("ann", kStart + seconds(5));
  EXPECT_EQ(roster_.next_expiry(), kStart + seconds(5));
  roster_.expire(kStart + seconds(4));
  EXPECT_EQ(roster_.size(), 1U);
  join("ann");
  EXPECT_EQ(roster_.next_expiry(), std::nullopt);
  roster_.expire(kStart + seconds(10));
  EXPECT_THAT(update(), IsEmpty());
}

TEST_F(RosterTest, OneThatWasNeverReportedDoesNotLeave) {
  join("ann");
  leave("ann", kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), IsEmpty());
}

TEST_F(RosterTest, WhatNeverJoinedCannotLeave) {
  leave("ann", kStart);
  join("ann");
  leave("ann", kStart);
  leave("ann", kStart + seconds(9));
  roster_.expire(kStart);
  EXPECT_EQ(roster_.size(), 0U);
}

TEST_F(RosterTest, AnotherProfileIsReportedAndNoneKeepsTheOldOne) {
  join("ann", "1");
  update();
  join("ann", "2");
  EXPECT_THAT(update(), ElementsAre("+ann 2"));
  join("ann", "2");
  join("ann");
  EXPECT_THAT(update(), IsEmpty());
}

TEST_F(RosterTest, AboveTheLimitOnlyTheNumberIsReported) {
  for (const char* user : {"a", "b", "c"}) join(user);
  update();
  join("d");
  EXPECT_THAT(update(), ElementsAre("all", "count 4"));
  EXPECT_THAT(update(), IsEmpty());
  join("e");
  EXPECT_THAT(update(), ElementsAre("count 5"));
  EXPECT_THAT(story(roster_.all()), ElementsAre("all", "count 5"));
  // Not at the limit, but below it the list comes back.
  for (const char* user : {"d", "e"}) leave(user, kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), ElementsAre("count 3"));
  leave("c", kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), ElementsAre("all", "+a", "+b"));
  leave("a", kStart);
  roster_.expire(kStart);
  EXPECT_THAT(update(), ElementsAre("-a"));
}

TEST_F(RosterTest, AThousandComingsAndGoingsLeaveNothingBehind) {
  for (int i = 0; i < 1000; ++i) {
    join("ann");
    leave("ann", kStart + seconds(i));
  }
  roster_.expire(kStart + seconds(998));
  EXPECT_EQ(roster_.size(), 1U);
  roster_.expire(kStart + seconds(999));
  EXPECT_EQ(roster_.size(), 0U);
  EXPECT_EQ(roster_.next_expiry(), std::nullopt);
}

TEST_F(RosterTest, OfTooManyWithoutAStreamTheFirstAreGoneEarly) {
  for (std::size_t i = 0; i < Roster::kMaxLeaving + 2; ++i) {
    join("u" + std::to_string(i));
    leave("u" + std::to_string(i), kStart + seconds(i));
  }
  EXPECT_EQ(roster_.size(), Roster::kMaxLeaving);
  EXPECT_EQ(roster_.next_expiry(), kStart + seconds(2));
}

}  // namespace
}  // namespace sse::presence
