// What may go wrong with the Redis of a cluster of real servers, and with the way to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
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

using RedisClusterTest = ClusterOver<OverRedis>;

TEST_F(RedisClusterTest, WithoutRedisANodeServesItsOwnAndSaysSoAndHealsByItself) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t at_a = a.streams().connect("userId=1");
  const std::size_t at_b = b.streams().connect("userId=1");
  EXPECT_EQ(a.send_to_user("1", "kept", {{"qos", true}})["delivered"], 2);
  ASSERT_TRUE(b.receives(at_b, "kept"));
  for (int i = 0; i < 5; ++i) a.send_to_user("offline", std::to_string(i), {{"qos", true}});

  bus_.redis.kill();
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

  bus_.redis.start();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  EXPECT_TRUE(eventually([&] { return b.send_to_user("new", "together")["delivered"] == 1; }));
  EXPECT_EQ(a.send_to_user("1", "together")["delivered"], 2);
  const std::size_t offline = b.streams().connect("userId=offline");
  ASSERT_TRUE(b.receives(offline, "4"));
  EXPECT_THAT(b.data(offline), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(RedisClusterTest, ARedisThatComesBackEmptyIsNoticedAndFilledAgain) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  b.streams().connect("userId=1");
  for (int i = 0; i < 5; ++i) a.send_to_user("offline", std::to_string(i), {{"qos", true}});
  bus_.redis.kill();
  bus_.redis.forget_data();
  bus_.redis.start();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "again")["delivered"] == 1; }));
  EXPECT_TRUE(
      eventually([&] { return a.server().log().find("about 5 pending messages are gone") != std::string::npos; }));
  EXPECT_EQ(a.send_to_user("2", "kept", {{"qos", true}})["pending"], 1);
  EXPECT_EQ(b.get("/api/v1/messages")["total"], 1);
}

TEST_F(RedisClusterTest, ClustersWithDifferentPrefixesShareARedis) {
  ClusterNode& a = start_with({"--cluster", bus_.redis.url()}, "a", {"--cluster-prefix", "{hr}:"});
  ClusterNode& b = start_with({"--cluster", bus_.redis.url()}, "b", {"--cluster-prefix", "{hr}:"});
  ClusterNode& other = start("a");
  ASSERT_TRUE(a.sees(2));
  ASSERT_TRUE(other.sees(1));
  b.streams().connect("userId=1");
  other.streams().connect("userId=1");
  EXPECT_EQ(a.send_to_user("1", "x")["delivered"], 1);
  EXPECT_EQ(a.send_to_user("2", "kept", {{"qos", true}})["pending"], 1);
  EXPECT_EQ(other.get("/api/v1/messages")["total"], 0);
  EXPECT_THAT(ssectl("--cluster " + bus_.redis.url() + " --cluster-prefix {hr}: --timeout 60s send --user 1 x"),
              HasSubstr("delivered  1 connection"));
  EXPECT_THAT(bus_.redis.say("EXISTS {hr}:pending:count"), HasSubstr(":1"));
}

class SecuredRedisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(
        std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=redis "
                     "-addext subjectAltName=DNS:redis.example -keyout " +
                     key() + " -out " + certificate() + " 2>/dev/null")
                        .c_str()),
        0);
    std::ofstream(folder_.file("password")) << "secret\n";
  }
  std::string certificate() const { return folder_.file("redis.pem"); }
  std::string key() const { return folder_.file("redis.key"); }

  TempFolder folder_;
};

TEST_F(SecuredRedisTest, NodesAndSsectlUseTlsWithTheirCertificateAndTheUserOfTheManual) {
  RedisProcess redis({"--tls-port", "@port", "--tls-cert-file", certificate(), "--tls-key-file", key(),
                      "--tls-ca-cert-file", certificate()});
  const std::string address = "rediss://sse@127.0.0.1:" + std::to_string(redis.other_port()) + "/0";
  std::vector<std::string> options{"--cluster",     address,       "--cluster-password-file", folder_.file("password"),
                                   "--cluster-ca",  certificate(), "--cluster-cert",          certificate(),
                                   "--cluster-key", key(),         "--cluster-tls-name",      "redis.example"};
  ClusterNode a("a", options);
  ClusterNode b("b", options);
  ASSERT_TRUE(a.sees(2) && b.sees(2));
  const std::size_t stream = b.streams().connect("userId=1");
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "x", {{"qos", true}})["delivered"] == 1; }));
  ASSERT_TRUE(b.receives(stream, "x"));
  std::string of_ssectl;
  for (const std::string& option : options) of_ssectl += option + " ";
  EXPECT_THAT(ssectl(of_ssectl + "--timeout 60s send --user 1 y"), HasSubstr("delivered  1 connection"));
  options.back() = "another.example";
  try {
    ClusterNode c("c", options);
    FAIL() << "started with a Redis of another name";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("ostname mismatch"));
  }
}

TEST_F(SecuredRedisTest, ANodeUsesAUnixSocket) {
  RedisProcess redis({"--unixsocket", folder_.file("redis.sock")});
  ClusterNode a("a", {"--cluster", "unix://sse:secret@" + folder_.file("redis.sock") + "?db=3"});
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.send_to_user("1", "kept", {{"qos", true}})["pending"], 1);
  EXPECT_EQ(a.get("/api/v1/status")["cluster"]["address"], "unix://" + folder_.file("redis.sock") + "?db=3");
}

TEST_F(RedisClusterTest, AFrozenRedisDelaysNoNodeForLong) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const std::size_t at_a = a.streams().connect("userId=1");
  b.streams().connect("userId=1");
  bus_.redis.freeze();
  a.send_to_user("1", "while it is frozen");
  EXPECT_TRUE(a.receives(at_a, "while it is frozen"));
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty(); }));
  const std::size_t fresh = a.streams().connect("userId=fresh");
  EXPECT_EQ(a.send_to_user("fresh", "hello")["delivered"], 1);
  EXPECT_TRUE(a.receives(fresh, "hello"));
  bus_.redis.thaw();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "together")["delivered"] == 2; }));
}

TEST_F(RedisClusterTest, APartitionedNodeServesItsOwnAndGetsWhatItMissedWhenItIsBack) {
  Relay relay;
  relay.set_target("127.0.0.1:" + std::to_string(bus_.redis.port()));
  ClusterNode& a = start("a");
  ClusterNode& b = start_with({"--cluster", "redis://" + relay.address() + "/0"}, "b");
  settle();
  const std::size_t at_b = b.streams().connect("userId=1");
  ASSERT_TRUE(eventually([&] { return a.get("/api/v1/users")["total"] == 1; }));

  relay.swallow();
  // Kept at once, and delivered when the way is free again.
  EXPECT_EQ(a.send_to_user("1", "kept", {{"qos", true}})["pending"], 1);
  ASSERT_TRUE(eventually([&] { return !b.degraded().empty(); }));
  EXPECT_EQ(b.send_to_user("1", "local")["delivered"], 1);
  ASSERT_TRUE(b.receives(at_b, "local"));
  const std::size_t fresh = b.streams().connect("userId=fresh");
  EXPECT_EQ(b.send_to_user("fresh", "local")["delivered"], 1);
  ASSERT_TRUE(b.receives(fresh, "local"));
  // No node shows its users longer than its entry lives.
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.get("/api/v1/users")["total"], 0);
  EXPECT_TRUE(a.degraded().empty());

  relay.restore();
  ASSERT_TRUE(eventually([&] { return b.degraded().empty(); }));
  ASSERT_TRUE(a.sees(2));
  ASSERT_TRUE(b.receives(at_b, "kept"));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("fresh", "together")["delivered"] == 1; }));
  EXPECT_EQ(a.get("/api/v1/users")["total"], 2);
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 0; }));
}

// For as long as it is frozen: Redis still counts it as a subscriber.
TEST_F(RedisClusterTest, AFrozenNodePastItsTimeToLiveIsNamedAndNotWaitedFor) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  ClusterNode& c = start("c");
  settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=1");
  c.streams().connect("userId=2");
  ::kill(b.server().pid(), SIGSTOP);
  ASSERT_TRUE(a.sees(2));
  const auto took = [](const auto& what) {
    const auto begin = std::chrono::steady_clock::now();
    what();
    return std::chrono::steady_clock::now() - begin;
  };
  constexpr std::chrono::milliseconds kSoon{1000};  // a node that may answer is waited for twice as long
  Json sent;
  EXPECT_TRUE(eventually([&] { return took([&] { sent = a.send_to_user("1", "x"); }) < kSoon; }));
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_TRUE(eventually([&] { return took([&] { sent = a.send_to_user("1", "y", {{"qos", true}}); }) < kSoon; }));
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  Json list;
  EXPECT_TRUE(eventually([&] { return took([&] { list = a.get("/api/v1/connections"); }) < kSoon; }));
  EXPECT_EQ(list["total"], 2);
  EXPECT_EQ(list["missing"], Json({"b"}));
  // Who has no receiver has missed nothing.
  EXPECT_FALSE(a.send_to_user("2", "x").contains("missing"));
  ::kill(b.server().pid(), SIGCONT);
  ASSERT_TRUE(a.sees(3));
  EXPECT_TRUE(eventually([&] {
    sent = a.send_to_user("1", "again");
    return sent["delivered"] == 2 && !sent.contains("missing");
  }));
}

TEST_F(RedisClusterTest, WhatIsAcceptedWhileRedisFreezesIsDeliveredAndTheRestRefused) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  std::vector<std::string> accepted;
  const auto send = [&](ClusterNode& node, const std::string& data) {
    const HttpResponse response =
        node.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}, {"qos", true}});
    if (response.status == 200) {
      accepted.push_back(data);
    } else {
      EXPECT_EQ(response.status, 503) << response.body;
    }
  };
  send(a, "before");
  bus_.redis.freeze();
  send(a, "frozen");
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty() && !b.degraded().empty(); }));
  send(b, "still frozen");
  bus_.redis.thaw();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  ASSERT_TRUE(eventually([&] {
    send(a, "after");
    return accepted.back() == "after";
  }));
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.receives(stream, "after"));
  const std::vector<std::string> got = b.data(stream);
  for (const std::string& data : accepted) EXPECT_THAT(got, ::testing::Contains(data));
}

}  // namespace
}  // namespace sse::testing
