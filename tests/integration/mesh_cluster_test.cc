// Several real servers that find each other through Nacos or a fixed list and talk to each other directly. Nacos is the
// stand-in of support/nacos.h: no real one can be had here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/cluster_node.h"
#include "support/nacos.h"
#include "support/page_bodies.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/relay.h"
#include "support/streams.h"
#include "waiting_programs.h"

namespace sse::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// What ssectl prints, and its exit status behind it.
std::string ssectl(const std::string& arguments) {
  FILE* pipe = ::popen((ssectl_program() + " " + arguments + " 2>&1").c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
  return text + "exit " + std::to_string(WEXITSTATUS(::pclose(pipe)));
}

class NacosCluster : public ::testing::Test {
 protected:
  ClusterNode& start(const std::string& id, const std::vector<std::string>& more = {}) {
    std::vector<std::string> options{"--discovery", nacos_.url(), "--cluster-listen", "127.0.0.1:0"};
    options.insert(options.end(), more.begin(), more.end());
    nodes_.push_back(std::make_unique<ClusterNode>(id, options));
    return *nodes_.back();
  }
  void settle() {
    for (const auto& node : nodes_) ASSERT_TRUE(node->sees(nodes_.size()));
  }

  FakeNacos nacos_;
  std::vector<std::unique_ptr<ClusterNode>> nodes_;
};

// With a relay in front of its bus.
class PartedCluster : public NacosCluster {
 protected:
  ClusterNode& start_behind(Relay& relay, const std::string& id) {
    ClusterNode& node = start(id, {"--cluster-advertise", relay.address()});
    relay.set_target(node.get("/api/v1/status")["cluster"]["listening"].get<std::string>());
    return node;
  }
  std::array<Relay, 3> relays_;
};

TEST_F(NacosCluster, SendsReachTheirReceiversWhereverTheyAre) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t one = a.streams().connect("userId=1&channel=news");
  const std::size_t two = b.streams().connect("userId=1&tenantId=acme");
  const std::size_t three = b.streams().connect("userId=2");
  EXPECT_EQ(a.send_to_user("1", "to both")["delivered"], 2);
  EXPECT_EQ(a.send_to_user("2", "to the other node")["delivered"], 1);
  EXPECT_EQ(a.send({{"tenants", {"acme"}}}, "tenant")["delivered"], 1);
  EXPECT_EQ(b.send({{"channels", {"news"}}}, "channel")["delivered"], 1);
  const Json all = b.send({{"all", true}}, "all");
  EXPECT_EQ(all["delivered"], 3);
  EXPECT_FALSE(all.contains("missing"));
  ASSERT_TRUE(a.receives(one, "all"));
  ASSERT_TRUE(b.receives(two, "all"));
  ASSERT_TRUE(b.receives(three, "all"));
  EXPECT_THAT(a.data(one), ElementsAre("to both", "channel", "all"));
  EXPECT_THAT(b.data(two), ElementsAre("to both", "tenant", "all"));
  EXPECT_THAT(b.data(three), ElementsAre("to the other node", "all"));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 3);
  EXPECT_EQ(b.get("/api/v1/connections")["total"], 3);
  std::set<std::string> ids;
  const Json nodes = a.get("/api/v1/nodes");
  for (const Json& node : nodes["list"]) ids.insert(node["id"]);
  EXPECT_THAT(ids, UnorderedElementsAre("a", "b"));
}

TEST_F(NacosCluster, BodiesOfEverySizeReachTheNodeWithTheStream) {
  ClusterNode& a = start("a", page_limits());
  ClusterNode& b = start("b", page_limits());
  settle();
  page_requests_of_every_size(a, b);
}

TEST_F(NacosCluster, AnUploadOverTheLimitOfTheNodeWithTheStreamIsRefusedWithTheReason) {
  ClusterNode& a = start("a", page_limits());
  ClusterNode& b = start("b", {"--max-upload", "100000", "--max-body", "50000"});
  settle();
  upload_over_the_limit_of_the_other_node(a, b);
}

TEST_F(NacosCluster, AProgramWithoutAServerSendsAndAsks) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t stream = b.streams().connect("userId=1");
  const std::string where = "--discovery " + nacos_.url() + " --timeout 60s ";
  EXPECT_THAT(ssectl(where + "send --user 1 hello"), AllOf(HasSubstr("delivered  1 connection"), HasSubstr("exit 0")));
  ASSERT_TRUE(b.receives(stream, "hello"));
  EXPECT_THAT(ssectl(where + "nodes list"), AllOf(HasSubstr("a "), HasSubstr("b "), HasSubstr("exit 0")));
  EXPECT_THAT(ssectl(where + "send --user 1 --qos --wait 60s kept"), HasSubstr("confirmed"));
  EXPECT_THAT(ssectl("--discovery nacos://127.0.0.1:1 nodes list"), AllOf(HasSubstr("Nacos"), HasSubstr("exit 4")));
  EXPECT_EQ(a.get("/api/v1/nodes")["total"], 2);
}

TEST_F(NacosCluster, AUnicastComesByNoNodeWithoutAReceiver) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  ClusterNode& c = start("c");
  settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=2");
  const double before_b = b.counter("sse_cluster_received_total");
  const double before_c = c.counter("sse_cluster_received_total");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
  EXPECT_EQ(b.counter("sse_cluster_received_total"), before_b + 20);
  EXPECT_EQ(c.counter("sse_cluster_received_total"), before_c);
}

TEST_F(NacosCluster, NothingSentAfterAStreamHasOpenedIsMissed) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  for (int i = 0; i < 50; ++i) {
    const std::string user = "fresh" + std::to_string(i);
    b.streams().connect("userId=" + user);
    EXPECT_EQ(a.send_to_user(user, "at once")["delivered"], 1) << i;
  }
}

TEST_F(NacosCluster, AMessageWithQosIsHandedToWhicheverNodeItsReceiverComesTo) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["pending"], 1);
  EXPECT_EQ(b.send_to_user("2", "other", {{"qos", true}})["pending"], 1);
  const Json messages = b.get("/api/v1/messages");
  EXPECT_EQ(messages["total"], 4);
  const std::string id = messages["list"][3]["id"];
  EXPECT_EQ(a.get("/api/v1/messages/" + id)["list"][0]["event"], messages["list"][3]["event"]);
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.receives(stream, "2"));
  EXPECT_THAT(b.data(stream), ElementsAre("0", "1", "2"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.pending_here() == 0; }));
  // Live, from the other node: delivered at once, and confirmed there.
  EXPECT_EQ(a.send_to_user("1", "live", {{"qos", true}})["delivered"], 1);
  ASSERT_TRUE(b.receives(stream, "live"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.pending_here() == 0; }));
}

TEST_F(NacosCluster, WhatIsSentOnceMoreReachesStreamsOfEveryNode) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  const std::string id = a.send_to_user("1", "kept", {{"qos", true}})["id"];
  ASSERT_TRUE(b.receives(stream, "kept"));
  for (ClusterNode* node : {&a, &b}) {
    const Json row = node->get("/api/v1/messages")["list"][0];
    EXPECT_EQ(row["state"], "in-flight") << node->id();
    EXPECT_EQ(row["connection"], b.streams()[stream].connection_id);
  }
  // Asked at the node that does not hold it, of the stream that the node does not have that holds it.
  EXPECT_EQ(b.post("/api/v1/messages/" + id + "/retry", Json::object()).json()["delivered"], 1);
  EXPECT_TRUE(b.streams().run_until([&] { return b.data(stream) == std::vector<std::string>{"kept", "kept"}; }));
  EXPECT_TRUE(eventually([&] { return b.get("/api/v1/messages")["list"][0]["attempts"] == 2; }));
  a.send_to_user("2", "late", {{"qos", true}, {"ttl", "1ms"}});
  ASSERT_TRUE(eventually([&] { return b.get("/api/v1/dead")["total"] == 1; }));
  const std::size_t other = b.streams().connect("userId=2");
  EXPECT_EQ(b.post("/api/v1/dead/requeue", Json::object()).json()["ids"].size(), 1u);
  ASSERT_TRUE(b.receives(other, "late"));
  const Json trace = b.get("/api/v1/messages/" + id + "/trace");
  std::vector<std::int64_t> times;
  for (const Json& step : trace["list"]) times.push_back(step["time"].get<std::int64_t>());
  EXPECT_GE(times.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(times)) << trace.dump();
}

TEST_F(NacosCluster, OfTwoDurationsThatWaitAtTwoNodesTheNewestWins) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
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

// A database that was once ahead has the node that opens it give ids of the future. Whether a stream has had a message
// is not told by which of two ids is the greater.
TEST_F(NacosCluster, AMessageArrivesHoweverFarTheIdsOfTwoNodesAreApart) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  a.send_to_user("somebody", "makes the database", {{"qos", true}});
  EXPECT_EQ(a.server().stop(), 0);
  const std::string ahead =
      "python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"UPDATE sqlite_sequence SET seq = "
      "seq + (86400000 << 22)\"); c.commit()' ";
  ASSERT_EQ(std::system((ahead + a.database()).c_str()), 0);
  a.restart();
  settle();
  for (ClusterNode* at : {&a, &b}) {
    const std::string user = "1" + at->id();
    const std::string far = a.send_to_user(user, "from the one ahead", {{"qos", true}})["id"];
    const std::size_t stream = at->streams().connect("userId=" + user);
    ASSERT_TRUE(at->receives(stream, "from the one ahead"));
    for (const std::string& data : {std::string("live 1"), std::string("live 2")}) {
      const Json sent = b.send_to_user(user, data, {{"qos", true}});
      EXPECT_EQ(sent["delivered"], 1);
      EXPECT_LT(std::stoull(sent["id"].get<std::string>()) + (80'000'000ULL << 22), std::stoull(far));
      ASSERT_TRUE(at->receives(stream, data));
    }
    EXPECT_THAT(at->data(stream), ElementsAre("from the one ahead", "live 1", "live 2"));
    EXPECT_TRUE(at->streams().run_until([&] { return b.pending_here() == 0; }));
  }
}

TEST_F(NacosCluster, AnExportHoldsWhatEveryNodeHolds) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
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
       {"--server " + a.admin(), "--server " + b.admin(), "--discovery " + nacos_.url() + " --timeout 60s"}) {
    const std::string said = ssectl(where + " messages export | sort | uniq | grep -c import/");
    EXPECT_THAT(said, HasSubstr("2600")) << where;
    EXPECT_THAT(ssectl(where + " messages export 3>&1 >/dev/null 2>&3; exit $?"),
                AllOf(HasSubstr("exported 2600 of 2601 messages, 1 had expired"), HasSubstr("exit 0")));
  }
}

TEST_F(NacosCluster, ANodeThatDiesLosesNothingItAccepted) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["pending"], 1);
  a.kill();
  // Its receiver is at the other node, and gets it as soon as the first is back.
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.sees(1));
  a.restart();
  ASSERT_TRUE(b.receives(stream, "19"));
  EXPECT_THAT(b.data(stream), SizeIs(20));
  EXPECT_TRUE(b.streams().run_until([&] { return a.pending_here() == 0; }));
}

TEST_F(NacosCluster, ANodeThatDiesIsNoLongerSeenAndHoldsNobodyUp) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  ClusterNode& c = start("c");
  settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=1");
  b.kill();
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_EQ(a.get("/api/v1/connections")["missing"], Json({"b"}));
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return !a.send_to_user("1", "x").contains("missing"); }));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 1);
}

TEST_F(NacosCluster, SixtyFourProgramsThatWaitTakeNothingFromOthers) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  expect_waits_take_nothing_from_others(a, b, "--discovery " + nacos_.url());
}

// What it has is asked for again, by streams that opened meanwhile, until it answers.
TEST_F(NacosCluster, WhatAFrozenNodeHasComesWhenItAnswersAgain) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  EXPECT_EQ(b.send_to_user("1", "kept at b", {{"qos", true}})["pending"], 1);
  EXPECT_EQ(a.send_to_user("1", "kept at a", {{"qos", true}})["pending"], 1);
  ::kill(b.server().pid(), SIGSTOP);
  const std::size_t stream = a.streams().connect("userId=1");
  ASSERT_TRUE(a.receives(stream, "kept at a"));
  ::kill(b.server().pid(), SIGCONT);
  ASSERT_TRUE(a.receives(stream, "kept at b"));
  EXPECT_THAT(a.data(stream), ElementsAre("kept at a", "kept at b"));
}

TEST_F(NacosCluster, AFrozenNodeIsNamedAndComesBack) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  b.streams().connect("userId=1");
  freeze(b.server().pid());
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 0);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  ASSERT_TRUE(a.sees(1));
  thaw(b.server().pid());
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "again")["delivered"] == 1; }));
}

TEST_F(NacosCluster, NodesTalkOnWhileNacosIsGoneAndEnterThemselvesWhenItIsBackEmpty) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  b.streams().connect("userId=1");
  nacos_.kill();
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty() && !b.degraded().empty(); }));
  EXPECT_THAT(a.degraded(), HasSubstr("Nacos"));
  EXPECT_EQ(a.send_to_user("1", "without Nacos")["delivered"], 1);
  a.streams().connect("userId=2");
  EXPECT_EQ(b.send_to_user("2", "without Nacos")["delivered"], 1);
  nacos_.start();
  EXPECT_TRUE(eventually([&] { return nacos_.instances() == 2 && a.degraded().empty() && b.degraded().empty(); }));
  settle();
  EXPECT_EQ(a.send_to_user("1", "with Nacos")["delivered"], 1);
}

TEST_F(NacosCluster, AFrozenNacosHoldsNobodyUp) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  nacos_.freeze();
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty(); }));
  b.streams().connect("userId=1");
  EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
  nacos_.thaw();
  EXPECT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
}

TEST_F(NacosCluster, ASecondNodeOfTheSameNameIsRefusedAndARestartedOneIsNot) {
  start("a");
  try {
    start("a");
    FAIL() << "two nodes are called a";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("another node of this cluster has the id 'a'"));
  }
  nodes_.front()->kill();
  nodes_.front()->restart();
  EXPECT_TRUE(nodes_.front()->sees(1));
}

TEST_F(NacosCluster, ANodeThatLeavesIsTakenOutAtOnce) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  EXPECT_EQ(b.server().stop(), 0);
  EXPECT_EQ(nacos_.instances(), 1u);
  EXPECT_TRUE(a.sees(1));
  EXPECT_FALSE(a.send_to_user("1", "x").contains("missing"));
}

TEST(NacosClusterLogin, WrongCredentialsAreRefusedAtTheStart) {
  FakeNacos::Options options;
  options.user = "nacos";
  options.password = "right";
  FakeNacos nacos(options);
  try {
    ClusterNode node("a", {"--discovery", nacos.url("nacos:topsecret@"), "--cluster-listen", "127.0.0.1:0"});
    FAIL() << "started with a wrong password";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("refuses"));
    EXPECT_THAT(e.what(), Not(HasSubstr("topsecret")));
  }
  ScratchFolder folder;
  std::ofstream(folder.file("password")) << "right\n";
  ClusterNode node("a", {"--discovery", nacos.url(), "--discovery-password-file", folder.file("password"),
                         "--cluster-listen", "127.0.0.1:0"});
  EXPECT_TRUE(node.sees(1));
}

TEST_F(NacosCluster, StrangersArePostedNothingAndMayPostNothing) {
  ClusterNode& a = start("a");
  const std::string at = a.get("/api/v1/status")["cluster"]["listening"].get<std::string>();
  HttpClient stranger(Endpoint::tcp("127.0.0.1", std::stoi(at.substr(at.rfind(':') + 1))));
  EXPECT_EQ(stranger.request("POST", "/cluster/v1/post", "{\"from\":\"x~1\"}\n").status, 401);
  EXPECT_EQ(stranger.get("/cluster/v1/who").json()["id"], "a");
}

TEST_F(PartedCluster, AnUnreachableNodeIsNamedAndGetsWhatWaitedForItsStreams) {
  ClusterNode& a = start_behind(relays_[0], "a");
  ClusterNode& b = start_behind(relays_[1], "b");
  ClusterNode& c = start_behind(relays_[2], "c");
  settle();
  const std::size_t stream = b.streams().connect("userId=1");
  c.streams().connect("userId=2");
  EXPECT_EQ(a.send_to_user("1", "before")["delivered"], 1);
  // Nacos still sees it, the others do not.
  for (Relay& relay : relays_) relay.swallow();
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "lost").dump().find("\"b\"") != std::string::npos; }));
  const Json sent = a.send_to_user("1", "kept", {{"qos", true}});
  EXPECT_EQ(sent["pending"], 1);
  for (Relay& relay : relays_) relay.restore();
  ASSERT_TRUE(b.receives(stream, "kept"));
  EXPECT_TRUE(b.streams().run_until([&] { return a.pending_here() == 0; }));
  EXPECT_TRUE(eventually([&] { return a.send({{"all", true}}, "all")["delivered"] == 2; }));
}

class StaticCluster : public ::testing::Test {
 protected:
  StaticCluster() {
    std::ofstream(folder_.file("secret")) << "shared by all\n";
    std::ofstream(folder_.file("other")) << "of somebody else\n";
  }
  std::unique_ptr<ClusterNode> start(std::size_t n, const std::string& id, const std::string& secret = "secret") {
    std::string all = "static:";
    for (const Relay& relay : relays_) all += (all.back() == ':' ? "" : ",") + relay.address();
    auto node = std::make_unique<ClusterNode>(
        id, std::vector<std::string>{"--discovery", all, "--cluster-secret-file", folder_.file(secret),
                                     "--cluster-listen", "127.0.0.1:0", "--cluster-advertise", relays_[n].address()});
    relays_[n].set_target(node->get("/api/v1/status")["cluster"]["listening"].get<std::string>());
    return node;
  }
  ScratchFolder folder_;
  std::array<Relay, 3> relays_;
};

TEST_F(StaticCluster, NodesAtKnownAddressesFindEachOther) {
  const auto a = start(0, "a");
  const auto b = start(1, "b");
  // The third address is nobody's yet.
  ASSERT_TRUE(a->sees(2));
  ASSERT_TRUE(b->sees(2));
  const std::size_t stream = b->streams().connect("userId=1");
  // A stream opens without waiting for ever until every node knows of it.
  EXPECT_TRUE(eventually([&] { return a->send_to_user("1", "hello")["delivered"] == 1; }));
  ASSERT_TRUE(b->receives(stream, "hello"));
  const auto c = start(2, "c");
  ASSERT_TRUE(a->sees(3));
  EXPECT_EQ(c->send_to_user("1", "from the third")["delivered"], 1);
  EXPECT_THAT(ssectl("--discovery static:" + relays_[0].address() + "," + relays_[1].address() +
                     " --cluster-secret-file " + folder_.file("secret") + " --timeout 60s send --user 1 x"),
              HasSubstr("delivered  1 connection"));
  b->kill();
  ASSERT_TRUE(a->sees(2));
  EXPECT_TRUE(eventually([&] { return !a->send_to_user("1", "x").contains("missing"); }));
}

TEST_F(StaticCluster, WithAnotherSecretANodeIsAlone) {
  const auto a = start(0, "a");
  const auto b = start(1, "b", "other");
  EXPECT_TRUE(eventually([&] { return b->server().log().find("refuses the secret") != std::string::npos; }));
  b->streams().connect("userId=1");
  EXPECT_EQ(a->send_to_user("1", "x")["delivered"], 0);
  EXPECT_TRUE(a->sees(1));
}

}  // namespace
}  // namespace sse::testing
