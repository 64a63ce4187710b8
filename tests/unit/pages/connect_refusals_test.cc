#include "pages/connect_refusals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "observe/log.h"

namespace sse::pages {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(ConnectRefusals, CountsAllAndLogsSome) {
  ManualClock clock;
  observe::Registry metrics;
  application::ActivityLog activity_log(clock);
  ConnectRefusals refusals(metrics, activity_log, clock);
  std::vector<std::string> left_out;
  const auto sink = observe::add_log_sink(
      [&](const LogRecord& record) {
        if (record.message == "a stream was refused") left_out.push_back(record.fields.back().value);
      },
      observe::Level::kInfo);
  const ServiceName service("s");
  const auto refuse = [&](int times) {
    for (int i = 0; i < times; ++i)
      refusals.note(
          {.service = service, .address = "192.0.2.1", .query = "", .status = 401, .reason = "unauthenticated"});
  };
  refuse(1000);
  EXPECT_THAT(left_out, SizeIs(ConnectRefusals::kLines));
  clock.advance(ConnectRefusals::kInterval);
  refuse(2);
  EXPECT_THAT(left_out, SizeIs(ConnectRefusals::kLines + 2));
  EXPECT_THAT(std::vector<std::string>(left_out.end() - 2, left_out.end()), ElementsAre("990", "0"));
  EXPECT_EQ(metrics.snapshot()[R"(sse_connects_refused_total{reason="unauthenticated",service="s",status="401"})"],
            1002);
  EXPECT_THAT(activity_log.last(), SizeIs(256));
}

}  // namespace
}  // namespace sse::pages
