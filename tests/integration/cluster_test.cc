// Several real servers and a real Redis: one system from outside, whichever node is asked.
#include "support/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/page_bodies.h"

namespace sse::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(ClusterTest, AnEventSentAnywhereReachesItsReceiversWhereverTheyAre) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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
}

TEST_F(ClusterTest, AUnicastComesByNoNodeWithoutAReceiver) {
  Node& a = start("a");
  Node& b = start("b");
  Node& c = start("c");
  settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=2");
  const double before_b = b.counter("sse_cluster_received_total");
  const double before_c = c.counter("sse_cluster_received_total");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
  EXPECT_EQ(b.counter("sse_cluster_received_total"), before_b + 20);
  EXPECT_EQ(c.counter("sse_cluster_received_total"), before_c);
  // Nor when nobody is there any more.
  b.streams().close_all();
  ASSERT_TRUE(eventually([&] {
    const double received = b.counter("sse_cluster_received_total");
    a.send_to_user("1", "gone");
    return b.counter("sse_cluster_received_total") == received;
  }));
}

TEST_F(ClusterTest, NothingSentAfterAStreamHasOpenedIsMissed) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  for (int i = 0; i < 50; ++i) {
    const std::string user = "fresh" + std::to_string(i);
    b.streams().connect("userId=" + user);
    EXPECT_EQ(a.send_to_user(user, "at once")["delivered"], 1) << i;
  }
}

TEST_F(ClusterTest, AMessageWithQosIsDeliveredByWhicheverNodeItsReceiverComesTo) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["pending"], 1);
  EXPECT_EQ(b.get("/api/v1/messages")["total"], 3);
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.receives(stream, "2"));
  EXPECT_THAT(b.data(stream), ElementsAre("0", "1", "2"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 0; }));
  // Live, from the other node: delivered at once, and confirmed.
  EXPECT_EQ(a.send_to_user("1", "live", {{"qos", true}})["delivered"], 1);
  ASSERT_TRUE(b.receives(stream, "live"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 0; }));
}

TEST_F(ClusterTest, QuestionsAndOrdersAreAboutTheWholeClusterUnlessToldOtherwise) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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

TEST_F(ClusterTest, WhatAPageSaysReachesItsStreamThroughAnyNode) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  const std::size_t stream = b.streams().connect("userId=1");
  const std::string id = b.streams()[stream].connection_id;
  HttpResponse response =
      a.pages().post("/my-sse/connect/addListener.do?userId=1", {{"connectionId", id}, {"listener", {"note"}}});
  EXPECT_EQ(response.json()["data"]["listener"], Json({"note"}));
  // Not for somebody else, through whichever node.
  response = a.pages().post("/my-sse/connect/addListener.do?userId=2", {{"connectionId", id}, {"listener", {"x"}}});
  EXPECT_EQ(response.json()["data"]["error"], "connectionId not exist");
  EXPECT_EQ(a.send({{"users", {"1"}}, {"listening", true}}, "heard", {{"event", "note"}})["delivered"], 1);
  response = a.pages().post("/my-sse/connect/removeListener.do?userId=1",
                            {{"connectionId", std::stoull(id)}, {"listener", {"note"}}});
  EXPECT_EQ(response.json()["data"]["listener"], Json::array());
  response = a.pages().post("/my-sse/connect/message/hello.do?userId=1&connectionId=" + id, {{"text", "hi"}});
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body, HasSubstr("hi"));
  response = a.pages().request("POST", "/my-sse/connect/disconnect.do?userId=1", "connectionId=" + id,
                               "application/x-www-form-urlencoded");
  EXPECT_EQ(response.json()["data"]["count"], 1);
  EXPECT_TRUE(b.streams().run_until([&] { return b.streams()[stream].ended; }));
}

TEST_F(ClusterTest, ASecondNodeOfTheSameNameIsRefusedAndARestartedOneIsNot) {
  start("a");
  try {
    Node second(redis_, "a");
    FAIL() << "two nodes are called a";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("another node of this cluster has the id 'a'"));
  }
  nodes_.front()->server().kill();
  nodes_.clear();
  start("a");
  EXPECT_TRUE(nodes_.front()->sees(1));
}

TEST_F(ClusterTest, ANodeThatDiesLosesNoMessageAndIsNoLongerSeen) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  // A client that takes nothing: what is sent to it stays in flight.
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["delivered"], 1);
  ASSERT_TRUE(b.receives(stream, "19"));
  b.server().kill();
  EXPECT_EQ(a.get("/api/v1/messages")["total"], 20);
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 0);
  const std::size_t again = a.streams().connect("userId=1");
  ASSERT_TRUE(a.receives(again, "19"));
  EXPECT_EQ(a.data(again).size(), 20u);
}

TEST_F(ClusterTest, AFrozenNodeIsNamedAndHoldsNobodyUpForLong) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  b.streams().connect("userId=1");
  freeze(b.server().pid());
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 0);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_EQ(a.get("/api/v1/connections")["missing"], Json({"b"}));
  ASSERT_TRUE(a.sees(1));
  thaw(b.server().pid());
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "again")["delivered"] == 1; }));
}

TEST_F(ClusterTest, WithoutRedisANodeServesItsOwnAndSaysSoAndHealsByItself) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  const std::size_t at_a = a.streams().connect("userId=1");
  const std::size_t at_b = b.streams().connect("userId=1");
  EXPECT_EQ(a.send_to_user("1", "kept", {{"qos", true}})["delivered"], 2);
  ASSERT_TRUE(b.receives(at_b, "kept"));
  for (int i = 0; i < 5; ++i) a.send_to_user("offline", std::to_string(i), {{"qos", true}});

  redis_.kill();
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty() && !b.degraded().empty(); }));
  EXPECT_EQ(a.send_to_user("1", "alone")["delivered"], 1);
  ASSERT_TRUE(a.receives(at_a, "alone"));
  a.streams().connect("userId=new");
  EXPECT_EQ(a.send_to_user("new", "alone")["delivered"], 1);
  // What cannot be kept is refused, not lost.
  const HttpResponse refused = a.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "x"}, {"qos", true}});
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("Redis"));
  EXPECT_EQ(a.counter("sse_cluster_up"), 0);
  EXPECT_THAT(a.server().log(), HasSubstr("degraded"));

  redis_.start();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  EXPECT_TRUE(eventually([&] { return b.send_to_user("new", "together")["delivered"] == 1; }));
  EXPECT_EQ(a.send_to_user("1", "together")["delivered"], 2);
  const std::size_t offline = b.streams().connect("userId=offline");
  ASSERT_TRUE(b.receives(offline, "4"));
  EXPECT_THAT(b.data(offline), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(ClusterTest, ARedisThatComesBackEmptyIsNoticedAndFilledAgain) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  b.streams().connect("userId=1");
  for (int i = 0; i < 5; ++i) a.send_to_user("offline", std::to_string(i), {{"qos", true}});
  redis_.kill();
  redis_.forget_data();
  redis_.start();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "again")["delivered"] == 1; }));
  EXPECT_TRUE(
      eventually([&] { return a.server().log().find("about 5 pending messages are gone") != std::string::npos; }));
  EXPECT_EQ(a.send_to_user("2", "kept", {{"qos", true}})["pending"], 1);
  EXPECT_EQ(b.get("/api/v1/messages")["total"], 1);
}

TEST_F(ClusterTest, AFrozenRedisHoldsNobodyUpForLong) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  const std::size_t at_a = a.streams().connect("userId=1");
  b.streams().connect("userId=1");
  redis_.freeze();
  a.send_to_user("1", "while it is frozen");
  EXPECT_TRUE(a.receives(at_a, "while it is frozen"));
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty(); }));
  const std::size_t fresh = a.streams().connect("userId=fresh");
  EXPECT_EQ(a.send_to_user("fresh", "hello")["delivered"], 1);
  EXPECT_TRUE(a.receives(fresh, "hello"));
  redis_.thaw();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "together")["delivered"] == 2; }));
}

TEST_F(ClusterTest, ADrainedNodeSendsItsStreamsElsewhereAndTakesNoNewOnes) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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

TEST_F(ClusterTest, AClientHasItsFewStreamsInTheWholeCluster) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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

TEST_F(ClusterTest, ExplainsForAllNodesWhomAnEventWouldReach) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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

TEST_F(ClusterTest, SessionDurationsAreReadAndSetWhereverTheStreamIs) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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
}

TEST_F(ClusterTest, PagesThatMayAskGetTheWholeClusterToo) {
  Node& a = start("a", {"--enable-get-json"});
  Node& b = start("b", {"--enable-get-json"});
  settle();
  a.streams().connect("userId=1");
  b.streams().connect("userId=1");
  b.streams().connect("userId=2");
  const auto ask = [&](const std::string& query) { return a.pages().get("/my-sse/connect/" + query).json()["data"]; };
  EXPECT_EQ(ask("users.json?userId=1")["total"], 2);
  EXPECT_EQ(ask("users.json")["timeout"], false);
  EXPECT_EQ(ask("users.json?cluster=false")["total"], 1);
  EXPECT_EQ(ask("connections.json?pageSize=2&pageNum=2")["list"].size(), 1u);
  EXPECT_EQ(ask("connections.json?pageSize=0")["total"], 3);
  Node& c = start("c");
  const HttpResponse refused = c.pages().get("/my-sse/connect/users.json");
  EXPECT_EQ(refused.status, 403) << refused.body;
}

TEST_F(ClusterTest, WhatIsSentOnceMoreReachesStreamsOfEveryNode) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  // Confirms by itself, and does not.
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  const std::string id = a.send_to_user("1", "kept", {{"qos", true}})["id"];
  ASSERT_TRUE(b.receives(stream, "kept"));
  for (Node* node : {&a, &b}) {
    const Json row = node->get("/api/v1/messages")["list"][0];
    EXPECT_EQ(row["state"], "in-flight") << node->id();
    EXPECT_EQ(row["connection"], b.streams()[stream].connection_id);
    EXPECT_EQ(node->get("/api/v1/messages/" + id)["list"][0]["state"], "in-flight");
  }
  EXPECT_EQ(a.post("/api/v1/messages/" + id + "/retry", Json::object()).json()["delivered"], 1);
  EXPECT_TRUE(b.streams().run_until([&] { return b.data(stream) == std::vector<std::string>{"kept", "kept"}; }));
  // The same of a letter, sent again where its recipient is not.
  a.send_to_user("2", "late", {{"qos", true}, {"ttl", "1ms"}});
  ASSERT_TRUE(eventually([&] { return b.get("/api/v1/dead")["total"] == 1; }));
  const std::size_t other = b.streams().connect("userId=2");
  EXPECT_EQ(a.post("/api/v1/dead/requeue", Json::object()).json()["ids"].size(), 1u);
  ASSERT_TRUE(b.receives(other, "late"));
}

TEST_F(ClusterTest, CountsAUserOfSeveralNodesOnce) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
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

TEST_F(ClusterTest, BodiesOfEverySizeReachTheNodeWithTheStream) {
  Node& a = start("a", page_limits());
  Node& b = start("b", page_limits());
  settle();
  page_requests_of_every_size(a, b);
}

TEST_F(ClusterTest, AnUploadOverTheLimitOfTheNodeWithTheStreamIsRefusedWithTheReason) {
  Node& a = start("a", page_limits());
  Node& b = start("b", {"--max-upload", "100000", "--max-body", "50000"});
  settle();
  upload_over_the_limit_of_the_other_node(a, b);
}

TEST_F(ClusterTest, AnUploadThroughAnotherNodeReachesTheOneWithTheStream) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  const std::string id = b.streams()[stream].connection_id;
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
      "Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n";
  const HttpResponse response = a.pages().request("POST", "/my-sse/connect/upload/docs.do?userId=1&connectionId=" + id,
                                                  body, "multipart/form-data; boundary=b");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.headers.at("x-sse-server-id"), "b");
  EXPECT_EQ(a.get("/api/v1/connections/" + id)["requestUploadCount"], 1);
  // And so does a confirmation.
  const Json sent = a.send_to_user("1", "kept", {{"qos", true}});
  ASSERT_TRUE(sent.contains("id")) << sent;
  ASSERT_TRUE(b.receives(stream, "kept"));
  EXPECT_EQ(a.get("/api/v1/messages")["total"], 1);
  const HttpResponse acknowledged =
      a.pages().post("/my-sse/connect/ack.do?userId=1", {{"connectionId", id}, {"ids", Json::array({sent["id"]})}});
  EXPECT_EQ(acknowledged.json()["data"]["acked"], 1) << acknowledged.body;
  EXPECT_TRUE(eventually([&] { return a.get("/api/v1/messages")["total"] == 0; }));
}

}  // namespace
}  // namespace sse::testing
