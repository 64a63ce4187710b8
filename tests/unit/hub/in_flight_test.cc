#include "hub/in_flight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/step_count.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr seconds kTimeout{30};

class InFlightTest : public ::testing::Test {
 protected:
  void message(std::uint64_t id, TargetKind kind = TargetKind::kUser) {
    log_.sent(MessageId(id), kind, now_, kTimeout);
  }
  std::vector<std::uint64_t> through(std::uint64_t id) {
    std::vector<std::uint64_t> ids;
    for (const auto& entry : log_.confirm_through(id)) ids.push_back(entry.message.value());
    return ids;
  }

  InFlight log_;
  const SteadyTime now_ = steady_now();
};

TEST_F(InFlightTest, KnowsWhatItWasGivenUntilThatIsConfirmed) {
  message(5, TargetKind::kToken);
  EXPECT_TRUE(log_.contains(MessageId(5)));
  const auto entry = log_.confirm(MessageId(5));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->recipient, TargetKind::kToken);
  EXPECT_FALSE(log_.contains(MessageId(5)));
  EXPECT_FALSE(log_.confirm(MessageId(5))) << "twice";
  EXPECT_FALSE(log_.confirm(MessageId(6))) << "never sent";
  EXPECT_EQ(log_.length(), 0U);
}

// A message that waited for a listener goes into the stream after events with larger ids.
TEST_F(InFlightTest, TakesALastEventIdForItsPlaceNotForItsNumber) {
  message(5);
  message(9);
  message(7);
  EXPECT_THAT(through(9), ElementsAre(5, 9));
  EXPECT_EQ(log_.size(), 1U);
  EXPECT_THAT(through(9), IsEmpty()) << "it lies before everything in flight now";
  EXPECT_THAT(through(7), ElementsAre(7));
}

// A client may confirm in any order, and messages that waited for a listener have no order at all.
TEST_F(InFlightTest, FindsWhatIsConfirmedWithoutLookingThroughTheLog) {
  for (const bool ascending : {true, false}) {
    std::vector<std::uint64_t> steps;
    for (const std::uint64_t n : {2000U, 4000U}) {
      InFlight log;
      for (std::uint64_t id = 1; id <= n; ++id)
        log.sent(MessageId(ascending || id % 2 == 0 ? id : n + id), TargetKind::kUser, now_, kTimeout);
      const std::uint64_t before = steps_counted();
      for (std::uint64_t id = 2 * n; id >= 1; --id) {
        const bool there = log.contains(MessageId(id));
        EXPECT_EQ(log.confirm(MessageId(id)).has_value(), there);
        EXPECT_TRUE(log.confirm_through(3 * n).empty());
      }
      EXPECT_TRUE(log.empty());
      EXPECT_EQ(log.length(), 0U);
      steps.push_back(steps_counted() - before);
    }
    EXPECT_LE(steps[1], 2 * steps[0] + 100);
    EXPECT_LE(steps[1], 4000 * 8U);
  }
}

// An operator's retry goes to streams that have confirmed the message.
TEST_F(InFlightTest, KnowsTheSecondCopyOfAMessageThatWasConfirmed) {
  message(5);
  message(7);
  ASSERT_TRUE(log_.confirm(MessageId(7)));
  message(7);
  message(6);
  EXPECT_TRUE(log_.contains(MessageId(7)));
  EXPECT_THAT(through(7), ElementsAre(5)) << "it may have got the first copy alone";
  EXPECT_TRUE(log_.contains(MessageId(7)));
  EXPECT_TRUE(log_.confirm(MessageId(6)));
  EXPECT_TRUE(log_.confirm(MessageId(7)));
  EXPECT_EQ(log_.length(), 0U);
}

TEST_F(InFlightTest, CountsEventsThatNeedNoConfirmation) {
  log_.sent(3);
  message(5);
  log_.sent(8);
  message(6);
  EXPECT_THAT(through(3), IsEmpty());
  EXPECT_THAT(through(4), IsEmpty());
  EXPECT_THAT(through(8), ElementsAre(5));
  EXPECT_TRUE(log_.contains(MessageId(6)));
}

TEST_F(InFlightTest, IsDueAfterItsTimeAndThenTwiceAsLate) {
  message(5);
  message(2);
  EXPECT_EQ(log_.next_due(), now_ + kTimeout);
  EXPECT_THAT(log_.due(now_), IsEmpty());
  EXPECT_THAT(log_.due(now_ + kTimeout), ElementsAre(MessageId(2), MessageId(5)));
  log_.sent(MessageId(2), TargetKind::kUser, now_ + kTimeout, kTimeout);
  EXPECT_THAT(log_.due(now_ + 2 * kTimeout), ElementsAre(MessageId(5)));
  EXPECT_THAT(log_.due(now_ + 3 * kTimeout), ElementsAre(MessageId(2), MessageId(5)));
  for (int i = 0; i < 300; ++i) log_.sent(MessageId(2), TargetKind::kUser, now_, kTimeout);
  log_.forget(MessageId(5));
  EXPECT_THAT(log_.due(now_ + 8 * kTimeout - seconds(1)), IsEmpty());
  EXPECT_THAT(log_.due(now_ + 8 * kTimeout), ElementsAre(MessageId(2)));
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(InFlightTest, IsNeverDueWithoutATimeout) {
  log_.sent(MessageId(1), TargetKind::kUser, now_, seconds(0));
  log_.sent(MessageId(1), TargetKind::kUser, now_, seconds(0));
  EXPECT_EQ(log_.next_due(), SteadyTime::max());
}

TEST_F(InFlightTest, IsSilentOnceAMessageWasDueTooOftenAndNothingWasConfirmed) {
  SteadyTime now = now_;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      now += 10 * kTimeout;
      for (const MessageId id : log_.due(now)) log_.sent(id, TargetKind::kUser, now, kTimeout);
    }
  };
  EXPECT_EQ(log_.sent(MessageId(1), TargetKind::kUser, now_, kTimeout), 1);
  EXPECT_EQ(log_.sent(MessageId(2), TargetKind::kUser, now_, kTimeout), 1);
  EXPECT_EQ(log_.sent(MessageId(3), TargetKind::kUser, now_, kTimeout), 1);
  rounds(InFlight::kMaxUnconfirmedSends);
  EXPECT_FALSE(log_.is_silent());
  log_.expect_confirmation();
  EXPECT_TRUE(log_.is_silent());
  log_.forget(MessageId(3));
  EXPECT_TRUE(log_.is_silent()) << "the client has not confirmed that";
  EXPECT_TRUE(log_.confirm(MessageId(1)));
  EXPECT_FALSE(log_.is_silent());
  log_.expect_confirmation();
  rounds(InFlight::kMaxUnconfirmedSends - 1);
  EXPECT_FALSE(log_.is_silent());
  rounds(1);
  EXPECT_TRUE(log_.is_silent());
}

TEST_F(InFlightTest, RemembersOnlySoManyEventsBehindAMessageThatIsNotConfirmed) {
  message(1);
  for (std::uint64_t id = 2; id < 100'000; ++id) log_.sent(id);
  EXPECT_LT(log_.length(), 20'000U);
  EXPECT_THAT(through(99'999), IsEmpty());
  EXPECT_THAT(through(2), ElementsAre(1));
}

}  // namespace
}  // namespace sse::hub
