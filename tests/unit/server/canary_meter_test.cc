#include "server/canary_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "base/mutex.h"
#include "observe/log.h"

namespace sse::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Origin = CanaryMeter::Origin;

class CanaryMeterTest : public ::testing::Test {
 protected:
  double metric(const std::string& name) const {
    const auto all = metrics_.snapshot();
    const auto found = all.find(name);
    return found == all.end() ? -1 : found->second;
  }
  double failed(const std::string& reason, const std::string& origin = "own") const {
    return metric("sse_canary_failed_total{origin=\"" + origin + "\",reason=\"" + reason + "\"}");
  }
  void good_round(milliseconds time = milliseconds(3)) {
    const auto id = meter_.begin({});
    clock_.advance(time);
    EXPECT_TRUE(meter_.arrived(id, "a"));
  }

  void expire() {
    meter_.expire([this] { return listed_; });
  }

  ManualClock clock_;
  observe::Registry metrics_;
  std::vector<std::string> listed_{"b", "c"};
  std::vector<std::string> lines_;
  const std::shared_ptr<void> sink_ = observe::add_log_sink(
      [this](const LogRecord& record) {
        std::string line(record.message);
        for (const LogField& field : record.fields) line.append(" ").append(field.key).append("=").append(field.value);
        lines_.push_back(line);
      },
      LogLevel::kInfo);
  CanaryMeter meter_{"a", "https://push/my-sse", true, metrics_, clock_};
};

TEST_F(CanaryMeterTest, CountsAndTimesWhatArrives) {
  EXPECT_FALSE(meter_.state(Origin::kOwn).measured);
  good_round(milliseconds(40));
  EXPECT_EQ(metric("sse_canary_sent_total{origin=\"own\"}"), 1);
  EXPECT_EQ(metric("sse_canary_received_total{origin=\"own\"}"), 1);
  EXPECT_DOUBLE_EQ(metric("sse_canary_delivery_seconds_sum{origin=\"own\"}"), 0.04);
  EXPECT_THAT(metrics_.prometheus(), HasSubstr("sse_canary_delivery_seconds_bucket{origin=\"own\",le=\"0.2\"} 1\n"));
  EXPECT_EQ(metric("sse_canary_last_success_timestamp_seconds{origin=\"own\"}"), to_millis(clock_.wall_now()) / 1000);
  const CanaryMeter::State state = meter_.state(Origin::kOwn);
  EXPECT_TRUE(state.measured);
  EXPECT_FALSE(state.failing);
  EXPECT_EQ(state.last_duration, milliseconds(40));
  EXPECT_EQ(state.last_success, clock_.wall_now());
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(CanaryMeterTest, BelievesNoEventTwiceAndNoneThatItHasNotAskedFor) {
  const auto id = meter_.begin({"b"});
  EXPECT_FALSE(meter_.arrived(id + 1, "a"));
  EXPECT_FALSE(meter_.arrived(id, "c"));
  EXPECT_TRUE(meter_.arrived(id, "a"));
  EXPECT_FALSE(meter_.arrived(id, "a"));
  EXPECT_TRUE(meter_.arrived(id, "b"));
  EXPECT_FALSE(meter_.arrived(id, "b"));
  EXPECT_EQ(metric("sse_canary_received_total{origin=\"own\"}"), 1);
  EXPECT_EQ(metric("sse_canary_received_total{origin=\"other\"}"), 1);
}

TEST_F(CanaryMeterTest, AnEventThatTakesLongIsLateAndCountedAsReceived) {
  const auto id = meter_.begin({});
  clock_.advance(milliseconds(1500));
  EXPECT_TRUE(meter_.arrived(id, "a"));
  EXPECT_EQ(metric("sse_canary_received_total{origin=\"own\"}"), 1);
  EXPECT_EQ(failed("late"), 1);
  EXPECT_EQ(failed("lost"), 0);
  EXPECT_EQ(metric("sse_canary_last_success_timestamp_seconds{origin=\"own\"}"), 0);
  EXPECT_THAT(meter_.state(Origin::kOwn).error, HasSubstr("only after 1500ms"));
}

TEST_F(CanaryMeterTest, AnEventThatDoesNotArriveIsLost) {
  const auto id = meter_.begin({"b", "c"});
  meter_.arrived(id, "a");
  clock_.advance(seconds(10));
  expire();
  EXPECT_EQ(failed("lost", "other"), 0);
  clock_.advance(milliseconds(1));
  expire();
  EXPECT_EQ(failed("lost", "other"), 2);
  EXPECT_EQ(failed("lost"), 0);
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("of b and 1 other nodes")));
  EXPECT_FALSE(meter_.arrived(id, "b"));
}

TEST_F(CanaryMeterTest, LogsTheBeginAndTheEndOfAFailureOnce) {
  meter_.begin_without_stream("cannot connect: Connection refused");
  meter_.begin_without_stream("cannot connect: Connection refused");
  EXPECT_EQ(failed("connect"), 2);
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("the canary fails")));
  EXPECT_THAT(lines_.front(), HasSubstr("origin=own url=https://push/my-sse error=cannot connect: Connection refused"));
  good_round();
  EXPECT_EQ(lines_.size(), 1);  // it may be lost again at once
  meter_.begin_without_stream("it ended the stream");
  clock_.advance(seconds(60));
  good_round();
  good_round();
  ASSERT_EQ(lines_.size(), 2);
  EXPECT_THAT(lines_.back(), HasSubstr("the canary has recovered origin=own"));
  EXPECT_FALSE(meter_.state(Origin::kOwn).failing);
  EXPECT_EQ(meter_.state(Origin::kOwn).error, "");
  good_round();
  EXPECT_EQ(lines_.size(), 2);
}

TEST_F(CanaryMeterTest, OneSilentNodeOfManyKeepsTheOtherSideFailing) {
  for (int i = 0; i < 5; ++i) {
    const auto id = meter_.begin({"b", "c"});
    meter_.arrived(id, "a");
    meter_.arrived(id, "b");
    clock_.advance(seconds(11));
    expire();
  }
  EXPECT_TRUE(meter_.state(Origin::kOther).failing);
  EXPECT_FALSE(meter_.state(Origin::kOwn).failing);
  EXPECT_EQ(lines_.size(), 1);
}

TEST_F(CanaryMeterTest, WhatIsOnItsWayIsLostWithTheStream) {
  const auto id = meter_.begin({"b"});
  meter_.stream_ended("it ended the stream");
  EXPECT_EQ(failed("lost"), 1);
  EXPECT_EQ(failed("lost", "other"), 1);
  EXPECT_FALSE(meter_.arrived(id, "a"));
}

TEST_F(CanaryMeterTest, ANodeThatHasLeftIsNoFailure) {
  const auto id = meter_.begin({"b", "c"});
  meter_.arrived(id, "a");
  meter_.arrived(id, "b");
  listed_ = {"b"};
  clock_.advance(seconds(11));
  expire();
  EXPECT_EQ(failed("lost", "other"), 0);
  EXPECT_EQ(metric("sse_canary_sent_total{origin=\"other\"}"), 1);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(CanaryMeterTest, WithoutOtherNodesNothingOfThemFails) {
  const auto id = meter_.begin({"b"});
  meter_.arrived(id, "a");
  clock_.advance(seconds(11));
  expire();
  EXPECT_TRUE(meter_.state(Origin::kOther).failing);
  meter_.begin({});
  EXPECT_FALSE(meter_.state(Origin::kOther).failing);
  EXPECT_FALSE(meter_.state(Origin::kOther).measured);
  EXPECT_EQ(lines_.size(), 2);
}

TEST_F(CanaryMeterTest, APauseIsNoFailure) {
  meter_.begin({"b"});
  meter_.pause();
  clock_.advance(seconds(60));
  expire();
  EXPECT_EQ(failed("lost"), 0);
  EXPECT_FALSE(meter_.state(Origin::kOwn).measured);
}

TEST(CanaryMeter, ASingleServerHasNoMetricsOfOtherNodes) {
  const ManualClock clock;
  observe::Registry metrics;
  const CanaryMeter meter("a", "u", false, metrics, clock);
  EXPECT_THAT(metrics.prometheus(), ::testing::Not(HasSubstr("other")));
}

}  // namespace
}  // namespace sse::server
