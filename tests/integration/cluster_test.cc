// Several real servers and a real Redis: one system from outside, whichever node is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/process.h"
#include "support/redis.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A server in a cluster, with a client of its admin API and one of its pages.
class Node {
 public:
  Node(const RedisProcess& redis, const std::string& id, const std::vector<std::string>& more = {})
      : server_(folder_, options(redis, id, more)),
        id_(id),
        admin_(server_.admin()),
        pages_(server_.pages()),
        streams_(server_.pages()) {}

  static std::vector<std::string> options(const RedisProcess& redis, const std::string& id,
                                          const std::vector<std::string>& more) {
    std::vector<std::string> words{"--cluster", redis.url(), "--server-id", id};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  ServerProcess& server() { return server_; }
  const std::string& id() const { return id_; }
  Streams& streams() { return streams_; }
  Client& pages() { return pages_; }

  Json get(const std::string& target) {
    const Response response = admin_.get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json();
  }
  Response post(const std::string& target, const Json& body) { return admin_.post(target, body); }
  Json send(const Json& target, const std::string& data, const Json& more = Json::object()) {
    Json body{{"target", target}, {"data", data}};
    body.update(more);
    const Response response = admin_.post("/api/v1/send", body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json();
  }
  Json send_to_user(const std::string& user, const std::string& data, const Json& more = Json::object()) {
    return send({{"users", {user}}}, data, more);
  }
  double counter(const std::string& name) { return get("/api/v1/status")["counters"].value(name, 0.0); }
  bool sees(std::size_t nodes) {
    return eventually([&] { return get("/api/v1/nodes")["list"].size() == nodes; });
  }
  std::string degraded() {
    const Json why = get("/api/v1/status")["cluster"]["degraded"];
    return why.is_string() ? why.get<std::string>() : "";
  }
  std::vector<std::string> data(std::size_t stream) {
    std::vector<std::string> all;
    for (const ReceivedEvent& event : streams_[stream].events) all.push_back(event.data);
    return all;
  }
  bool receives(std::size_t stream, const std::string& data) {
    return streams_.run_until([&] {
      const auto& events = streams_[stream].events;
      return std::any_of(events.begin(), events.end(), [&](const ReceivedEvent& e) { return e.data == data; });
    });
  }

 private:
  ScratchFolder folder_;
  ServerProcess server_;
  const std::string id_;
  Client admin_;
  Client pages_;
  Streams streams_;
};

class ClusterTest : public ::testing::Test {
 protected:
  Node& start(const std::string& id, const std::vector<std::string>& more = {}) {
    nodes_.push_back(std::make_unique<Node>(redis_, id, more));
    return *nodes_.back();
  }
  // Everybody knows everybody.
  void settle() {
    for (const auto& node : nodes_) ASSERT_TRUE(node->sees(nodes_.size()));
  }

  RedisProcess redis_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

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

  Client local(a.server().admin());
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
  Response response =
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
    EXPECT_THAT(e.what(), HasSubstr("another node of this cluster is called 'a'"));
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
  ::kill(b.server().pid(), SIGSTOP);
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 0);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_EQ(a.get("/api/v1/connections")["missing"], Json({"b"}));
  ASSERT_TRUE(a.sees(1));
  ::kill(b.server().pid(), SIGCONT);
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
  const Response refused = a.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "x"}, {"qos", true}});
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
  const Response answer = a.post("/api/v1/nodes/drain", {{"node", "b"}, {"rate", 200}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["streams"], 30);
  Client ready(b.server().admin());
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
