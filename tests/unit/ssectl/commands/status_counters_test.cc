#include "ssectl/commands/status_counters.h"

#include <gtest/gtest.h>

namespace sse::ctl {
namespace {

TEST(StatusCounters, SumsServicesAndShowsProblemsThatOccurred) {
  const api::Json status{{"uptimeMillis", 100'000},
                         {"counters",
                          {{"sse_sends_total{qos=\"false\",service=\"a\"}", 40.0},
                           {"sse_sends_total{qos=\"true\",service=\"a\"}", 1},
                           {"sse_sends_total{qos=\"true\",service=\"b\"}", 2},
                           {"sse_delivered_bytes_total{service=\"a\"}", 204'800},
                           {"sse_deliveries_total{service=\"a\"}", 12'345},
                           {"sse_streams_closed_total{reason=\"slow-consumer\",service=\"a\"}", 7},
                           {"sse_dropped_total{service=\"a\"}", 0},
                           {"sse_sends_total_of_another_name", 1000}}}};
  EXPECT_EQ(status_counters(status, {}),
            "\n"
            "SINCE THE START         TOTAL  A SECOND\n"
            "sends                      43       0.4\n"
            "  of them with qos          3      <0.1\n"
            "events delivered        12345       123\n"
            "bytes delivered     200.0 KiB   2.0 KiB\n"
            "messages confirmed          0       0.0\n"
            "streams opened              0       0.0\n"
            "streams closed              7       0.1\n"
            "  for slow reading          7       0.1\n"
            "requests of pages           0       0.0\n");
}

TEST(StatusCounters, AreLeftOutWhenAServerReportsNone) {
  EXPECT_EQ(status_counters(api::Json::object(), {}), "");
  EXPECT_EQ(status_counters({{"counters", 5}}, {}), "");
}

}  // namespace
}  // namespace sse::ctl
