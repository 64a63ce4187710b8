// Several real servers, over each bus: one system from outside, whichever node is asked.
#include "support/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/ssectl.h"

namespace sse::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

template <class Bus>
class ClusterTest : public ClusterOver<Bus> {};
TYPED_TEST_SUITE(ClusterTest, EveryBus, BusName);

TYPED_TEST(ClusterTest, AnEventSentAnywhereReachesItsReceiversWhereverTheyAre) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::size_t one = a.streams().connect("userId=1&channel=news");
  const std::size_t two = b.streams().connect("userId=1&tenantId=acme");
  const std::size_t three = b.streams().connect("userId=2&access-token=secret-token&listeners=note");

  EXPECT_EQ(a.send_to_user("1", "to both")["delivered"], 2);
  EXPECT_EQ(a.send_to_user("2", "to the other node")["delivered"], 1);
  EXPECT_EQ(a.send({{"tenants", {"acme"}}}, "tenant")["delivered"], 1);
  EXPECT_EQ(b.send({{"channels", {"news"}}}, "channel")["delivered"], 1);
  EXPECT_EQ(a.send({{"tokens", {"secret-token"}}}, "token")["delivered"], 1);
  EXPECT_EQ(a.send({{"all", true}, {"listening", true}}, "listening", {{"event", "note"}})["delivered"], 1);
  EXPECT_EQ(b.send({{"all", true}}, "all")["delivered"], 3);
  const Json several = a.send({{"users", {"2", "1", "nobody"}}}, "several");
  EXPECT_EQ(several["delivered"], 3);
  EXPECT_EQ(several["recipients"][0]["delivered"], 1);
  EXPECT_EQ(several["recipients"][1]["delivered"], 2);
  EXPECT_EQ(several["recipients"][2]["delivered"], 0);
  EXPECT_FALSE(several.contains("missing"));

  ASSERT_TRUE(a.receives(one, "several"));
  ASSERT_TRUE(b.receives(two, "several"));
  ASSERT_TRUE(b.receives(three, "several"));
  EXPECT_THAT(a.data(one), ElementsAre("to both", "channel", "all", "several"));
  EXPECT_THAT(b.data(two), ElementsAre("to both", "tenant", "all", "several"));
  EXPECT_THAT(b.data(three), ElementsAre("to the other node", "token", "listening", "all", "several"));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 3);
  EXPECT_EQ(b.get("/api/v1/connections")["total"], 3);
  std::set<std::string> ids;
  const Json nodes = a.get("/api/v1/nodes");
  for (const Json& node : nodes["list"]) ids.insert(node["id"]);
  EXPECT_THAT(ids, UnorderedElementsAre("a", "b"));
}

TYPED_TEST(ClusterTest, AUnicastComesByNoNodeWithoutAReceiver) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  ClusterNode& c = this->start("c");
  this->settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=2");
  // Nodes that have just met also ask each other which channels are watched.
  EXPECT_TRUE(eventually([&] {
    const double before_b = b.counter("sse_cluster_received_total");
    const double before_c = c.counter("sse_cluster_received_total");
    for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
    return b.counter("sse_cluster_received_total") == before_b + 20 &&
           c.counter("sse_cluster_received_total") == before_c;
  }));
  // Nor when no stream is open any more.
  b.streams().close_all();
  ASSERT_TRUE(eventually([&] {
    const double received = b.counter("sse_cluster_received_total");
    a.send_to_user("1", "gone");
    return b.counter("sse_cluster_received_total") == received;
  }));
}

TYPED_TEST(ClusterTest, NothingSentAfterAStreamHasOpenedIsMissed) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  for (int i = 0; i < 50; ++i) {
    const std::string user = "fresh" + std::to_string(i);
    b.streams().connect("userId=" + user);
    EXPECT_EQ(a.send_to_user(user, "at once")["delivered"], 1) << i;
  }
}

TYPED_TEST(ClusterTest, QuestionsAndOrdersAreAboutTheWholeClusterUnlessToldOtherwise) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  a.streams().connect("userId=1");
  b.streams().connect("userId=2");
  b.streams().connect("userId=3");
  const Json list = a.get("/api/v1/connections");
  EXPECT_EQ(list["total"], 3);
  std::multiset<std::string> servers;
  std::vector<std::string> ids;
  for (const Json& row : list["list"]) {
    servers.insert(row["serverId"]);
    ids.push_back(row["id"]);
  }
  EXPECT_THAT(servers, UnorderedElementsAre("a", "b", "b"));
  EXPECT_EQ(a.get("/api/v1/connections?pageSize=2&pageNum=2")["list"].size(), 1u);
  EXPECT_EQ(a.get("/api/v1/connections?user=3")["list"][0]["serverId"], "b");
  for (const std::string& id : ids) EXPECT_EQ(a.get("/api/v1/connections/" + id)["id"], id);

  HttpClient local(a.server().admin());
  const std::string body = Json{{"target", {{"all", true}}}, {"data", "x"}}.dump();
  // Over a raw socket, for the header.
  const UniqueFd fd = connect_to(a.server().admin());
  write_all(fd.get(),
            "POST /api/v1/send HTTP/1.1\r\nHost: x\r\nX-Sse-Local: 1\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  std::string answer = read_to_end(fd.get());
  EXPECT_EQ(take_response(answer).json()["delivered"], 1);

  EXPECT_EQ(a.post("/api/v1/connections/close", {{"target", {{"users", {"2"}}}}}).json()["closed"], 1);
  EXPECT_EQ(a.post("/api/v1/connections/close", {{"ids", ids}}).json()["closed"], 2);
  EXPECT_EQ(b.get("/api/v1/connections")["total"], 0);
}

TYPED_TEST(ClusterTest, ExplainsForAllNodesWhomAnEventWouldReach) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  a.streams().connect("userId=1");
  b.streams().connect("userId=1&listeners=note");
  b.streams().connect("userId=2");
  const Json told = a.get("/api/v1/explain?user=1&user=2&user=3&listening=true&event=note");
  EXPECT_EQ(told["receivers"], 1);
  EXPECT_EQ(told["total"], 4);
  EXPECT_EQ(told["list"][0]["gets"], true);
  EXPECT_EQ(told["list"][1]["reasons"][0]["code"], "not_listening");
  EXPECT_EQ(told["list"][3]["user"], "3");
  EXPECT_EQ(told["list"][3]["reasons"][0]["code"], "offline");
  EXPECT_EQ(a.get("/api/v1/explain?user=1&user=2&user=3&pageSize=3&pageNum=2")["list"].size(), 1u);
}

TYPED_TEST(ClusterTest, CountsAUserOfSeveralNodesOnce) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  a.streams().connect("userId=1&tenantId=acme&channel=news&access-token=secret-token");
  b.streams().connect("userId=1&tenantId=acme&channel=news&access-token=secret-token");
  b.streams().connect("userId=2&tenantId=acme&channel=news&access-token=secret-tokem");
  for (const std::string what : {"tenants", "channels"}) {
    const Json list = a.get("/api/v1/" + what);
    EXPECT_EQ(list["total"], 1) << list.dump();
    EXPECT_EQ(list["list"][0]["users"], 2) << list.dump();
    EXPECT_EQ(list["list"][0]["connections"], 3);
    EXPECT_FALSE(list["list"][0].contains("userKeys"));
  }
  // Masked they look the same, and are not.
  const Json tokens = a.get("/api/v1/tokens?sort=connections&order=desc");
  EXPECT_EQ(tokens["total"], 2) << tokens.dump();
  EXPECT_EQ(tokens["list"][0]["users"], 1);
  EXPECT_EQ(tokens["list"][0]["connections"], 2);
  EXPECT_FALSE(tokens["list"][0].contains("key"));
  EXPECT_EQ(a.get("/api/v1/tokens?user=1")["total"], 1);
}

TYPED_TEST(ClusterTest, AClientHasItsFewStreamsInTheWholeCluster) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::string query = "userId=1&clientId=tab";
  const std::size_t first = a.streams().connect(query);
  const std::size_t second = b.streams().connect(query);
  a.streams().connect("userId=1&clientId=other");
  const std::size_t third = a.streams().connect(query);
  const std::size_t fourth = b.streams().connect(query);
  ASSERT_TRUE(a.streams().run_until([&] { return a.streams()[first].ended; }));
  const std::size_t fifth = a.streams().connect(query);
  ASSERT_TRUE(b.streams().run_until([&] { return b.streams()[second].ended; }));
  EXPECT_EQ(a.get("/api/v1/connections?client=tab")["total"], 3);
  EXPECT_EQ(a.get("/api/v1/connections?client=other")["total"], 1);
  EXPECT_FALSE(a.streams()[third].ended);
  EXPECT_FALSE(b.streams()[fourth].ended);
  EXPECT_FALSE(a.streams()[fifth].ended);
  EXPECT_EQ(b.get("/api/v1/connections/closed?reason=replaced")["total"], 2);
}

TYPED_TEST(ClusterTest, AProgramWithoutAServerSendsAndAsks) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::size_t stream = b.streams().connect("userId=1");
  const std::string where = this->bus_.ssectl_options() + " --timeout 60s ";
  EXPECT_THAT(ssectl(where + "send --user 1 hello"), AllOf(HasSubstr("delivered  1 connection"), HasSubstr("exit 0")));
  ASSERT_TRUE(b.receives(stream, "hello"));
  EXPECT_THAT(ssectl(where + "nodes list"), AllOf(HasSubstr("a "), HasSubstr("b "), HasSubstr("exit 0")));
  EXPECT_THAT(ssectl(where + "send --user 1 --qos --wait 60s kept"), HasSubstr("confirmed"));
  EXPECT_THAT(ssectl(TypeParam::kUnreachable + std::string(" nodes list")),
              AllOf(HasSubstr(TypeParam::kFoundThrough), HasSubstr("exit 4")));
  EXPECT_EQ(a.get("/api/v1/nodes")["total"], 2);
}

TYPED_TEST(ClusterTest, ASecondNodeOfTheSameNameIsRefusedAndARestartedOneIsNot) {
  this->start("a");
  try {
    this->start("a");
    FAIL() << "two nodes are called a";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("another node of this cluster has the id 'a'"));
  }
  this->nodes_.front()->kill();
  this->nodes_.front()->restart();
  EXPECT_TRUE(this->nodes_.front()->sees(1));
  this->nodes_.front()->kill();
  this->nodes_.clear();
  this->start("a");  // with another database
  EXPECT_TRUE(this->nodes_.front()->sees(1));
}

TYPED_TEST(ClusterTest, ANodeThatLeavesIsNeitherSeenNorMissed) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  EXPECT_EQ(b.server().stop(), 0);
  EXPECT_TRUE(a.sees(1));
  EXPECT_FALSE(a.send_to_user("1", "x").contains("missing"));
}

TYPED_TEST(ClusterTest, ADrainedNodeSendsItsStreamsElsewhereAndTakesNoNewOnes) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  for (int i = 0; i < 30; ++i) b.streams().connect("userId=" + std::to_string(i));
  EXPECT_EQ(a.post("/api/v1/nodes/drain", {{"node", "nobody"}}).status, 404);
  EXPECT_EQ(a.post("/api/v1/nodes/drain", {{"node", "b"}, {"rate", 0}}).status, 400);
  const HttpResponse answer = a.post("/api/v1/nodes/drain", {{"node", "b"}, {"rate", 200}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["streams"], 30);
  HttpClient ready(b.server().admin());
  EXPECT_EQ(ready.get("/readyz").status, 503);
  EXPECT_TRUE(b.streams().run_until([&] { return b.streams().ended() == 30; }));
  EXPECT_EQ(b.pages().get("/my-sse/connect?userId=1").status, 503);
  EXPECT_TRUE(eventually([&] {
    const Json nodes = a.get("/api/v1/nodes");
    for (const Json& node : nodes["list"]) {
      if (node["id"] == "b") return node["state"] == "draining" && node["connections"] == 0;
    }
    return false;
  }));
}

}  // namespace
}  // namespace sse::testing
