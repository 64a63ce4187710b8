// What only a mesh has: real servers that find each other through Nacos or a fixed list and talk to each other
// directly. Nacos is the stand-in of support/nacos.h: no real one can be had here. What every cluster promises is in
// cluster*_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/cluster.h"
#include "support/relay.h"
#include "support/ssectl.h"

namespace sse::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using NacosCluster = ClusterOver<OverHttp>;

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

TEST_F(NacosCluster, NodesTalkOnWhileNacosIsGoneAndEnterThemselvesWhenItIsBackEmpty) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  b.streams().connect("userId=1");
  bus_.nacos.kill();
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty() && !b.degraded().empty(); }));
  EXPECT_THAT(a.degraded(), HasSubstr("Nacos"));
  EXPECT_EQ(a.send_to_user("1", "without Nacos")["delivered"], 1);
  a.streams().connect("userId=2");
  EXPECT_EQ(b.send_to_user("2", "without Nacos")["delivered"], 1);
  bus_.nacos.start();
  EXPECT_TRUE(eventually([&] { return bus_.nacos.instances() == 2 && a.degraded().empty() && b.degraded().empty(); }));
  settle();
  EXPECT_EQ(a.send_to_user("1", "with Nacos")["delivered"], 1);
}

TEST_F(NacosCluster, AFrozenNacosDelaysNoNode) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  bus_.nacos.freeze();
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty(); }));
  b.streams().connect("userId=1");
  EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
  bus_.nacos.thaw();
  EXPECT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
}

TEST_F(NacosCluster, ANodeThatLeavesIsTakenOutAtOnce) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  EXPECT_EQ(b.server().stop(), 0);
  EXPECT_EQ(bus_.nacos.instances(), 1u);
  EXPECT_TRUE(a.sees(1));
  EXPECT_FALSE(a.send_to_user("1", "x").contains("missing"));
}

TEST_F(NacosCluster, ANodeStartsWhileNacosIsAwayAndJoinsWhenItComes) {
  bus_.nacos.kill();
  ClusterNode& a = start("a", {"--discovery-timeout", "500ms"});
  a.streams().connect("userId=1");
  EXPECT_THAT(a.degraded(), HasSubstr("Nacos"));
  EXPECT_EQ(a.send_to_user("1", "alone")["delivered"], 1);
  bus_.nacos.start();
  ClusterNode& b = start("b");
  settle();
  EXPECT_TRUE(eventually([&] { return a.degraded().empty(); }));
  EXPECT_TRUE(eventually([&] { return b.send_to_user("1", "together")["delivered"] == 1; }));
}

TEST_F(NacosCluster, ANodeThatIsDisabledInNacosSaysSoAndStillGetsWhatPagesSay) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t stream = a.streams().connect("userId=1");
  const std::string id = a.streams()[stream].connection_id;
  bus_.nacos.set_enabled("a", false);
  ASSERT_TRUE(eventually([&] { return a.get("/api/v1/status")["cluster"].value("unlisted", "") != ""; }));
  EXPECT_EQ(a.get("/api/v1/status")["cluster"]["unlisted"], "disabled in Nacos");
  EXPECT_THAT(ssectl("-s " + a.admin() + " status"), HasSubstr("disabled in Nacos"));
  EXPECT_THAT(a.server().log(), HasSubstr("this node is disabled in Nacos"));
  EXPECT_EQ(a.degraded(), "");
  ASSERT_TRUE(eventually([&] { return b.get("/api/v1/nodes")["list"][0].value("unlisted", "") != ""; }));
  EXPECT_THAT(ssectl("-s " + b.admin() + " nodes list"), HasSubstr("ready, disabled in Nacos"));
  const HttpResponse response =
      b.pages().post("/my-sse/connect/message/hello.do?userId=1&connectionId=" + id, {{"text", "hi"}});
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(b.send_to_user("1", "x")["delivered"], 1);
  // A node that comes later, and has never seen it listed.
  ClusterNode& c = start("c");
  settle();
  EXPECT_TRUE(eventually([&] { return c.send_to_user("1", "y")["delivered"] == 1; }));
  bus_.nacos.set_enabled("a", true);
  EXPECT_TRUE(eventually([&] { return !a.get("/api/v1/status")["cluster"].contains("unlisted"); }));
}

TEST(NacosOfThePast, TheSharedSecretStaysOutOfItsAccessLog) {
  FakeNacos::Options options;
  options.generation = 1;
  FakeNacos nacos(options);
  TempFolder folder;
  std::ofstream(folder.file("secret")) << "shared by all\n";
  const std::vector<std::string> at{"--discovery",           nacos.url(),          "--cluster-listen", "127.0.0.1:0",
                                    "--cluster-secret-file", folder.file("secret")};
  ClusterNode a("a", at);
  ClusterNode b("b", at);
  ASSERT_TRUE(a.sees(2) && b.sees(2));
  b.streams().connect("userId=1");
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "x")["delivered"] == 1; }));
  EXPECT_FALSE(nacos.is_in_access_log("shared by all"));
  EXPECT_THAT(ssectl("--discovery " + nacos.url() + " --cluster-secret-file " + folder.file("secret") +
                     " --timeout 60s send --user 1 x"),
              HasSubstr("delivered  1 connection"));
  // Without one each node makes its own, which the others must read somewhere.
  ClusterNode c("c", {"--discovery", nacos.url(), "--cluster-listen", "127.0.0.1:0"});
  EXPECT_THAT(c.server().log(), HasSubstr("writes to its access log with the secret of this node"));
}

TEST(NacosClusterLogin, WrongCredentialsAreRefusedAtTheStart) {
  FakeNacos::Options options;
  options.user = "nacos";
  options.password = "right";
  FakeNacos nacos(options);
  try {
    ClusterNode node("a", {"--discovery", nacos.url("nacos:topsecret@"), "--cluster-listen", "127.0.0.1:0",
                           "--discovery-timeout", "500ms"});
    FAIL() << "started with a wrong password";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("refuses"));
    EXPECT_THAT(e.what(), Not(HasSubstr("topsecret")));
  }
  TempFolder folder;
  std::ofstream(folder.file("password")) << "right\n";
  ClusterNode node("a", {"--discovery", nacos.url(), "--discovery-password-file", folder.file("password"),
                         "--cluster-listen", "127.0.0.1:0"});
  EXPECT_TRUE(node.sees(1));
}

TEST(NacosClusterLogin, NodesAndSsectlSignTheirRequestsOverTls) {
  TempFolder folder;
  FakeNacos::Options options;
  options.access_key = "LTAI";
  options.secret_key = "s3cret";
  options.tls_certificate = folder.file("ca.pem");
  options.tls_key = folder.file("key.pem");
  ASSERT_EQ(std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=nacos "
                         "-addext subjectAltName=IP:127.0.0.1 -keyout " +
                         options.tls_key + " -out " + options.tls_certificate + " 2>/dev/null")
                            .c_str()),
            0);
  FakeNacos nacos(options);
  std::ofstream(folder.file("key")) << "LTAI:s3cret\n";
  const std::vector<std::string> at{"--discovery-access-key-file", folder.file("key"), "--discovery-ca",
                                    folder.file("ca.pem")};
  std::vector<std::string> of_node{"--discovery", nacos.url() + "?cluster=HZ", "--cluster-listen", "127.0.0.1:0"};
  of_node.insert(of_node.end(), at.begin(), at.end());
  ClusterNode a("a", of_node);
  EXPECT_TRUE(a.sees(1));
  EXPECT_EQ(nacos.registered_with("clusterName"), "HZ");
  a.streams().connect("userId=1");
  EXPECT_THAT(ssectl("--discovery " + nacos.url() + " --discovery-access-key-file " + folder.file("key") +
                     " --discovery-ca " + folder.file("ca.pem") + " --timeout 60s send --user 1 x"),
              HasSubstr("delivered  1 connection"));
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
  TempFolder folder_;
  std::array<Relay, 3> relays_;
};

TEST_F(StaticCluster, NodesAtKnownAddressesFindEachOther) {
  const auto a = start(0, "a");
  const auto b = start(1, "b");
  // The third address belongs to no node yet.
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
