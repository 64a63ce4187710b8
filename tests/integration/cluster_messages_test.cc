// Messages with qos in a cluster of real servers, over each bus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/ssectl.h"

namespace sse::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Bus>
class ClusterMessagesTest : public ClusterOver<Bus> {};
TYPED_TEST_SUITE(ClusterMessagesTest, EveryBus, BusName);

TYPED_TEST(ClusterMessagesTest, AMessageWithQosIsDeliveredByWhicheverNodeItsReceiverComesTo) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["pending"], 1);
  EXPECT_EQ(b.send_to_user("2", "other", {{"qos", true}})["pending"], 1);
  const Json messages = b.get("/api/v1/messages");
  EXPECT_EQ(messages["total"], 4);
  const std::string id = messages["list"][3]["id"];
  EXPECT_EQ(a.get("/api/v1/messages/" + id)["list"][0]["event"], messages["list"][3]["event"]);
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.receives(stream, "2"));
  EXPECT_THAT(b.data(stream), ElementsAre("0", "1", "2"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 1; }));
  // Live, from the other node: delivered at once, and confirmed.
  EXPECT_EQ(a.send_to_user("1", "live", {{"qos", true}})["delivered"], 1);
  ASSERT_TRUE(b.receives(stream, "live"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 1; }));
}

TYPED_TEST(ClusterMessagesTest, WhatIsSentOnceMoreReachesStreamsOfEveryNode) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  // Confirms by itself, and does not.
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  const std::string id = a.send_to_user("1", "kept", {{"qos", true}})["id"];
  ASSERT_TRUE(b.receives(stream, "kept"));
  for (ClusterNode* node : {&a, &b}) {
    const Json row = node->get("/api/v1/messages")["list"][0];
    EXPECT_EQ(row["state"], "in-flight") << node->id();
    EXPECT_EQ(row["connection"], b.streams()[stream].connection_id);
    EXPECT_EQ(node->get("/api/v1/messages/" + id)["list"][0]["state"], "in-flight");
  }
  // Through the node that accepted the message, and through the one that has the stream.
  std::vector<std::string> expected{"kept"};
  for (ClusterNode* node : {&a, &b}) {
    expected.push_back("kept");
    EXPECT_EQ(node->post("/api/v1/messages/" + id + "/retry", Json::object()).json()["delivered"], 1) << node->id();
    EXPECT_TRUE(b.streams().run_until([&] { return b.data(stream) == expected; }));
  }
  EXPECT_TRUE(eventually([&] { return b.get("/api/v1/messages")["list"][0]["attempts"] == 3; }));
  // The same of a dead letter, sent again where its recipient is not, and where it is.
  for (ClusterNode* node : {&a, &b}) {
    const std::string user = "of-" + node->id();
    a.send_to_user(user, "late", {{"qos", true}, {"ttl", "1ms"}});
    ASSERT_TRUE(eventually([&] { return b.get("/api/v1/dead")["total"] == 1; }));
    const std::size_t other = b.streams().connect("userId=" + user);
    EXPECT_EQ(node->post("/api/v1/dead/requeue", Json::object()).json()["ids"].size(), 1u);
    ASSERT_TRUE(b.receives(other, "late"));
  }
  const Json trace = b.get("/api/v1/messages/" + id + "/trace");
  std::vector<std::int64_t> times;
  for (const Json& step : trace["list"]) times.push_back(step["time"].get<std::int64_t>());
  EXPECT_GE(times.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(times)) << trace.dump();
}

TYPED_TEST(ClusterMessagesTest, SessionDurationsAreReadAndSetWhereverTheStreamIs) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::size_t stream = b.streams().connect("userId=1&sessionDuration=5");
  const std::string id = b.streams()[stream].connection_id;
  EXPECT_EQ(a.post("/api/v1/durations", {{"ids", {id}}, {"duration", 120}}).json()["connections"], 1);
  ASSERT_TRUE(b.receives(stream, R"({"duration":"120"})"));
  const Json read = a.get("/api/v1/durations?user=1");
  ASSERT_EQ(read["connections"].size(), 1u);
  EXPECT_EQ(read["connections"][0]["set"], true);
  EXPECT_EQ(a.post("/api/v1/durations", {{"target", {{"users", {"1"}}}}, {"duration", 7}}).json()["connections"], 1);
  ASSERT_TRUE(b.receives(stream, R"({"duration":"7"})"));
  EXPECT_EQ(a.post("/api/v1/durations/clear", {{"target", {{"users", {"1"}}}}}).json()["connections"], 1);
  const Json channel{{"channels", {"news"}}};
  EXPECT_EQ(a.post("/api/v1/durations", {{"target", channel}, {"duration", 9}}).status, 400);
  EXPECT_EQ(a.post("/api/v1/durations/clear", {{"target", channel}}).status, 400);
}

TYPED_TEST(ClusterMessagesTest, OfTwoDurationsThatWaitAtTwoNodesTheNewestWins) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const auto set = [](ClusterNode& node, int seconds) {
    const Json target{{"users", {"1"}}};
    EXPECT_EQ(node.post("/api/v1/durations", {{"target", target}, {"duration", seconds}}).status, 200);
  };
  set(a, 111);
  set(b, 222);
  for (ClusterNode* node : {&a, &b})
    EXPECT_EQ(node->get("/api/v1/durations?user=1")["pending"]["duration"], 222) << node->id();
  EXPECT_TRUE(eventually([&] { return a.get("/api/v1/messages")["total"] == 1; }));
  const std::size_t stream = a.streams().connect("userId=1");
  ASSERT_TRUE(a.receives(stream, R"({"duration":"222"})"));
  EXPECT_THAT(a.data(stream), ElementsAre(R"({"duration":"222"})"));
}

TYPED_TEST(ClusterMessagesTest, AnExportHoldsWhatEveryNodeHolds) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  std::string lines;
  for (int i = 0; i < 1300; ++i) {
    lines += R"({"target":{"users":["u)" + std::to_string(i % 100) + R"("]},"qos":true,"data":")" + std::to_string(i) +
             "\"}\n";
  }
  for (ClusterNode* node : {&a, &b}) {
    const std::string file = node->database() + ".lines";
    std::ofstream(file) << lines;
    EXPECT_THAT(ssectl("--server " + node->admin() + " send --ndjson -o json --file " + file), HasSubstr("exit 0"));
  }
  EXPECT_EQ(a.send_to_user("0", "late", {{"qos", true}, {"ttl", "1ms"}})["pending"], 1);
  for (const std::string& where :
       {"--server " + a.admin(), "--server " + b.admin(), this->bus_.ssectl_options() + " --timeout 60s"}) {
    const std::string said = ssectl(where + " messages export | sort | uniq | grep -c import/");
    EXPECT_THAT(said, HasSubstr("2600")) << where;
    EXPECT_THAT(ssectl(where + " messages export 3>&1 >/dev/null 2>&3; exit $?"),
                AllOf(HasSubstr("exported 2600 of 2601 messages, 1 had expired"), HasSubstr("exit 0")));
  }
}

}  // namespace
}  // namespace sse::testing
