#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "observe/metrics.h"

namespace sse::observe {
namespace {

TEST(Promtool, AcceptsTheText) {
  ASSERT_EQ(std::system("command -v promtool >/dev/null 2>&1"), 0) << "promtool is missing (scripts/setup --tests)";
  Registry registry;
  registry.counter("sse_events_total", "Events, all \"kinds\" \\ of\nthem.", {{"k", "a\"\\\nb"}}).add(3);
  registry.gauge("sse_connections", "Open streams.").set(5);
  registry.histogram("sse_commit_seconds", "Time to commit.", {0.001, 0.1, 1e6}).observe(0.5);
  std::FILE* promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = registry.prometheus();
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0);
}

}  // namespace
}  // namespace sse::observe
