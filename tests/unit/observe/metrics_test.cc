#include "observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace sse::observe {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

TEST(Metrics, WritesEachFamilyOnceWithHelpAndType) {
  Registry registry;
  registry.counter("sse_sent_total", "Events sent.", {{"service", "b"}}).add(2);
  registry.counter("sse_sent_total", "Events sent.", {{"service", "a"}}).add();
  registry.gauge("sse_connections", "Open streams.").set(-3);
  EXPECT_EQ(registry.prometheus(),
            "# HELP sse_connections Open streams.\n"
            "# TYPE sse_connections gauge\n"
            "sse_connections -3\n"
            "# HELP sse_sent_total Events sent.\n"
            "# TYPE sse_sent_total counter\n"
            "sse_sent_total{service=\"a\"} 1\n"
            "sse_sent_total{service=\"b\"} 2\n");
}

TEST(Metrics, EscapesLabelValuesAndHelp) {
  Registry registry;
  registry.gauge("x", "a\\b\nc \"d\"", {{"l", "q\"b\\n\nend"}}).set(1);
  const std::string text = registry.prometheus();
  EXPECT_THAT(text, HasSubstr("# HELP x a\\\\b\\nc \"d\"\n"));
  EXPECT_THAT(text, HasSubstr("x{l=\"q\\\"b\\\\n\\nend\"} 1\n"));
}

TEST(Metrics, HistogramBucketsAreCumulativeAndEndAtInfinity) {
  Registry registry;
  Histogram& h = registry.histogram("t_seconds", "Time.", {0.1, 1}, {{"op", "send"}});
  for (const double value : {0.05, 0.1, 0.5, 7.0}) h.observe(value);
  EXPECT_EQ(registry.prometheus(),
            "# HELP t_seconds Time.\n"
            "# TYPE t_seconds histogram\n"
            "t_seconds_bucket{op=\"send\",le=\"0.1\"} 2\n"
            "t_seconds_bucket{op=\"send\",le=\"1\"} 3\n"
            "t_seconds_bucket{op=\"send\",le=\"+Inf\"} 4\n"
            "t_seconds_sum{op=\"send\"} 7.65\n"
            "t_seconds_count{op=\"send\"} 4\n");
}

TEST(Metrics, AnEmptyHistogramIsStillComplete) {
  Registry registry;
  registry.histogram("t", "T.", {});
  EXPECT_THAT(registry.prometheus(), HasSubstr("t_bucket{le=\"+Inf\"} 0\nt_sum 0\nt_count 0\n"));
}

TEST(Metrics, SameNameAndLabelsAreTheSameObjectInAnyLabelOrder) {
  Registry registry;
  Counter& first = registry.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&first, &registry.counter("a_total", "A.", {{"y", "2"}, {"x", "1"}}));
  EXPECT_NE(&first, &registry.counter("a_total", "A.", {{"y", "1"}, {"x", "2"}}));
  EXPECT_NE(&first, &registry.counter("a_total", "A."));
}

TEST(Metrics, AskedGaugesAreReadWhenLookedAtAndCanBeReplaced) {
  Registry registry;
  double value = 1.5;
  registry.gauge_callback("g", "G.", [&value] { return value; });
  EXPECT_THAT(registry.snapshot(), Contains(Pair("g", 1.5)));
  value = std::numeric_limits<double>::infinity();
  EXPECT_THAT(registry.prometheus(), HasSubstr("\ng +Inf\n"));
  registry.gauge_callback("g", "G.", [] { return std::nan(""); });
  EXPECT_THAT(registry.prometheus(), HasSubstr("\ng NaN\n"));
}

TEST(Metrics, CountersCanBeReadWhenLookedAtToo) {
  Registry registry;
  registry.counter_callback("c_total", "C.", [] { return 2.5; }, {{"of", "x"}});
  EXPECT_THAT(registry.prometheus(), HasSubstr("# TYPE c_total counter\nc_total{of=\"x\"} 2.5\n"));
}

TEST(Metrics, SnapshotIsFlat) {
  Registry registry;
  registry.counter("c_total", "C.", {{"why", "slow"}}).add(4);
  registry.histogram("h", "H.", {1}, {{"op", "x"}}).observe(2.5);
  const std::map<std::string, double> expected{
      {"c_total{why=\"slow\"}", 4}, {"h_count{op=\"x\"}", 1}, {"h_sum{op=\"x\"}", 2.5}};
  EXPECT_EQ(registry.snapshot(), expected);
}

TEST(Metrics, BigCountersAreWrittenExactly) {
  Registry registry;
  registry.counter("c_total", "C.").add((1ULL << 53) + 1);
  EXPECT_THAT(registry.prometheus(), HasSubstr("c_total 9007199254740993\n"));
}

TEST(MetricsDeathTest, ACounterMustEndInTotal) {
  Registry registry;
  EXPECT_DEBUG_DEATH(registry.counter("c", "C."), "_total");
}

TEST(Metrics, NothingIsLostWhenManyThreadsRegisterCountAndRead) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  Registry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&registry] {
      for (int i = 0; i < kRounds; ++i) {
        registry.counter("c_total", "C.", {{"i", std::to_string(i % 7)}}).add();
        registry.gauge("g", "G.").add(1);
        registry.histogram("h", "H.", {0.5}).observe(1);
        if (i % 500 == 0) {
          EXPECT_FALSE(registry.prometheus().empty());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  double total = 0;
  for (const auto& [name, value] : registry.snapshot()) {
    if (name.starts_with("c_total")) total += value;
  }
  EXPECT_EQ(total, kThreads * kRounds);
  EXPECT_EQ(registry.gauge("g", "G.").value(), kThreads * kRounds);
  EXPECT_EQ(registry.histogram("h", "H.", {}).sum(), kThreads * kRounds);
}

}  // namespace
}  // namespace sse::observe
