#include "ssectl/bench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sse::ctl::bench {
namespace {

using ::testing::HasSubstr;

// 20 streams, 5 events to all of them, everything arrived.
Result good_result() {
  Result result;
  result.opened.opened = 20;
  result.opened.seconds = 0.5;
  result.receivers = 20;
  result.sent.events = result.sent.accepted = 5;
  result.sent.delivered = 100;
  result.sent.first = SteadyTime(std::chrono::seconds(1));
  result.sent.seconds = 1;
  result.received.events = 100;
  result.received.last = SteadyTime(std::chrono::seconds(3));
  for (int i = 1; i <= 100; ++i) result.received.latency.record(std::chrono::microseconds(i * 10));
  result.warm = ServerSample{0, 1'000'000, 2};
  result.full = ServerSample{0, 1'018'000, 20};
  result.before = ServerSample{500, 0, 20};
  result.after = ServerSample{1700, 0, 20};
  return result;
}

TEST(BenchReport, ComputesRatesFromWhatWasCounted) {
  const event::Json report = report_of(Options(), good_result());
  EXPECT_EQ(report["streamsPerSecond"], 40.0);
  EXPECT_EQ(report["sendsPerSecond"], 5.0);
  EXPECT_EQ(report["deliveriesPerSecond"], 50.0);
  EXPECT_EQ(report["serverCpuMicrosPerDelivery"], 12.0);
  EXPECT_EQ(report["serverBytesPerStream"], 1000.0);
  EXPECT_NEAR(report["latencyMicros"]["p50"].get<double>(), 500, 10);
  EXPECT_EQ(report["latencyMicros"]["max"], 1000.0);
  EXPECT_EQ(report["lost"], 0);
  EXPECT_TRUE(is_clean(report));
}

TEST(BenchReport, ADoubledEventDoesNotHideALostOne) {
  Result result = good_result();
  result.received.duplicates = 1;
  const event::Json report = report_of(Options(), result);
  EXPECT_EQ(report["lost"], 1);
  EXPECT_EQ(report["duplicates"], 1);
  EXPECT_FALSE(is_clean(report));
}

TEST(BenchReport, OnlyWithQosMayAnEventComeTwice) {
  Result result = good_result();
  result.received.events = 101;
  result.received.duplicates = 1;
  Options options;
  EXPECT_FALSE(is_clean(report_of(options, result)));
  options.qos = true;
  EXPECT_TRUE(is_clean(report_of(options, result)));
}

TEST(BenchReport, EverythingThatWentWrongMakesItUnclean) {
  const auto clean = [](auto change) {
    Result result = good_result();
    change(result);
    return is_clean(report_of(Options(), result));
  };
  EXPECT_FALSE(clean([](Result& r) { r.opened.failed = 1; }));
  EXPECT_FALSE(clean([](Result& r) { r.received.closed = 1; }));
  EXPECT_FALSE(clean([](Result& r) { r.received.late = 1; }));
  EXPECT_FALSE(clean([](Result& r) { r.received.events = 99; }));
  EXPECT_FALSE(clean([](Result& r) { r.sent.accepted = 4; }));
  EXPECT_FALSE(clean([](Result& r) { r.stopped = "the server is gone"; }));
}

TEST(BenchReport, WhatIsUnknownIsNullAndNotNought) {
  Result result = good_result();
  result.after.reset();
  result.warm.reset();
  result.received = load::Received();
  const event::Json report = report_of(Options(), result);
  EXPECT_TRUE(report["serverCpuMicrosPerDelivery"].is_null());
  EXPECT_TRUE(report["serverBytesPerStream"].is_null());
  EXPECT_TRUE(report["latencyMicros"].is_null());
  EXPECT_EQ(report["deliveriesPerSecond"], 0.0);
  EXPECT_THAT(describe(report, TableStyle()), HasSubstr("server cpu     unknown"));
}

TEST(BenchReport, ForPeopleNamesEveryFigure) {
  Result result = good_result();
  result.opened.failed = 3;
  const std::string text = describe(report_of(Options(), result), TableStyle());
  EXPECT_THAT(text, HasSubstr("streams        20, opened at 40/s\nnot opened     3\n"));
  EXPECT_THAT(text, HasSubstr("delivered      100 at 50/s\n"));
  EXPECT_THAT(text, HasSubstr("p99.9 1 ms  max 1 ms\n"));
  EXPECT_THAT(text, HasSubstr("server cpu     12 µs a delivery\nserver memory  1000 bytes a stream"));
}

}  // namespace
}  // namespace sse::ctl::bench
