#include "server/node_facts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "base/version.h"

namespace sse::server {
namespace {

TEST(NodeFacts, DescribeANodeThatHasNoServicesYet) {
  const std::vector<application::Service> services;
  observe::Registry metrics;
  metrics.counter("sse_deliveries_total", "", {{"service", "a"}}).add(2);
  metrics.counter("sse_deliveries_total", "", {{"service", "b"}}).add(3);
  std::atomic<bool> draining{false};
  const NodeFacts facts(services, metrics, draining, from_millis(1000), [] { return "http://127.0.0.1:1"; });
  const event::Json document = facts.document();
  EXPECT_EQ(document["url"], "http://127.0.0.1:1");
  EXPECT_EQ(document["version"], base::kVersion);
  EXPECT_EQ(document["state"], "ready");
  EXPECT_EQ(document["pid"], getpid());
  EXPECT_EQ(document["startTime"], 1000);
  EXPECT_EQ(document["connections"], 0);
  EXPECT_EQ(document["deliveries"], 5);
  EXPECT_EQ(document["dropped"], 0);
  draining = true;
  EXPECT_EQ(facts.document()["state"], "draining");
}

}  // namespace
}  // namespace sse::server
