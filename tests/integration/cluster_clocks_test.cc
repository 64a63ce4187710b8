// Nodes whose clocks are minutes apart, with a real Redis.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/cluster.h"

namespace sse::testing {
namespace {

std::string faketime_library() {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           "/usr/lib", std::filesystem::directory_options::skip_permission_denied)) {
    if (entry.path().filename() == "libfaketimeMT.so.1") return entry.path();
  }
  return "";
}

// Programs started while it lives have a wall clock that is off.
class OtherClock {
 public:
  OtherClock(const std::string& library, const std::string& offset) {
    setenv("LD_PRELOAD", library.c_str(), 1);
    setenv("FAKETIME", offset.c_str(), 1);
    setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    setenv("DONT_FAKE_MONOTONIC", "1", 1);
  }
  ~OtherClock() {
    for (const char* name : {"LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"})
      unsetenv(name);
  }
};

using ClusterClocksTest = ClusterOver<OverRedis>;

TEST_F(ClusterClocksTest, ClocksFiveMinutesApartCostNeitherMessagesNorOrder) {
  const std::string library = faketime_library();
  if (kSanitized) GTEST_SKIP() << "libfaketime cannot be preloaded before a sanitizer";
  ASSERT_NE(library, "") << "libfaketime is not installed (scripts/setup --tests)";
  {
    const OtherClock clock(library, "+5m");
    start("ahead");
  }
  {
    const OtherClock clock(library, "-5m");
    start("behind");
  }
  ClusterNode& ahead = *nodes_[0];
  ClusterNode& behind = *nodes_[1];
  ClusterNode& right = start("right");
  settle();
  const auto nodes_of = [](ClusterNode& node) { return node.get("/api/v1/nodes")["list"]; };
  std::map<std::string, std::int64_t> started;
  for (const Json& node : nodes_of(right)) started[node["id"]] = node["startTime"];
  ASSERT_GT(started["ahead"] - started["behind"], 500'000);

  // A minute to live: by the other's clock that is long over, or begins only in minutes.
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    for (ClusterNode* node : {&ahead, &behind, &right}) {
      expected.push_back(node->id() + std::to_string(i));
      EXPECT_EQ(node->send_to_user("1", expected.back(), {{"qos", true}, {"ttl", "60s"}})["pending"], 1);
    }
  }
  EXPECT_EQ(ahead.get("/api/v1/messages")["total"], 12);
  const std::size_t stream = ahead.streams().connect("userId=1");
  ASSERT_TRUE(ahead.receives(stream, expected.back()));
  EXPECT_EQ(ahead.data(stream), expected);
  EXPECT_TRUE(ahead.streams().run_until([&] { return right.get("/api/v1/messages")["total"] == 0; }));
  EXPECT_EQ(behind.get("/api/v1/dead")["total"], 0);
  // Presence goes by how long ago a node was heard of, not by what it says the time is.
  EXPECT_TRUE(behind.sees(3));
  EXPECT_EQ(behind.send_to_user("1", "live")["delivered"], 1);
}

}  // namespace
}  // namespace sse::testing
