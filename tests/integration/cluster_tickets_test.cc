// Tickets in a cluster of real servers, over each bus: any node redeems them, once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/client.h"
#include "support/cluster.h"

namespace sse::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The status of a stream that was asked for.
int status_of(ClusterNode& node, std::size_t stream) {
  EXPECT_TRUE(node.streams().run_until([&] {
    const ClientStream& one = node.streams()[stream];
    return one.status == 200 ? one.connected : one.status != 0;
  }));
  return node.streams()[stream].status;
}

template <class Bus>
class ClusterTicketsTest : public ClusterOver<Bus> {
 protected:
  static std::string create(ClusterNode& node, const std::string& user, const Json& more = Json::object()) {
    Json body{{"user", user}};
    body.update(more);
    const HttpResponse response = node.post("/api/v1/tickets", body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json()["ticket"].get<std::string>() : "";
  }
};
TYPED_TEST_SUITE(ClusterTicketsTest, EveryBus, BusName);

TYPED_TEST(ClusterTicketsTest, ATicketOfOneNodeOpensAStreamAtAnother) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::string ticket = this->create(a, "ann", {{"tenant", "acme"}, {"profile", {{"name", "Ann"}}}});
  EXPECT_EQ(b.pages().request("HEAD", "/my-sse/connect?ticket=" + ticket).status, 200);
  const std::size_t stream = b.streams().connect("ticket=" + ticket);
  const Json shown = a.get("/api/v1/connections/" + b.streams()[stream].connection_id);
  EXPECT_EQ(shown["accessUserId"], "ann");
  EXPECT_EQ(shown["accessTenantId"], "acme");
  EXPECT_EQ(shown["serverId"], "b");
  EXPECT_EQ(a.send_to_user("ann", "hello")["delivered"], 1);
  EXPECT_TRUE(b.receives(stream, "hello"));
  for (ClusterNode* node : {&a, &b}) {
    EXPECT_EQ(status_of(*node, node->streams().open("ticket=" + ticket)), 401);
    EXPECT_THAT(node->server().log(), Not(HasSubstr(ticket)));
  }
}

TYPED_TEST(ClusterTicketsTest, OfTwoNodesThatRedeemATicketAtOnceOneOpensAStream) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  for (int round = 0; round < 20; ++round) {
    const std::string ticket = this->create(round % 2 == 0 ? a : b, "ann");
    const std::size_t at_a = a.streams().open("ticket=" + ticket);
    const std::size_t at_b = b.streams().open("ticket=" + ticket);
    const int status_a = status_of(a, at_a);
    const int status_b = status_of(b, at_b);
    EXPECT_EQ(status_a + status_b, 200 + 401) << "round " << round << ": " << status_a << " and " << status_b;
    a.streams().close_all();
    b.streams().close_all();
  }
}

TYPED_TEST(ClusterTicketsTest, TheRequestKeyOfAStreamIsGoodAtEveryNode) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::size_t stream = b.streams().connect("ack=1&ticket=" + this->create(b, "ann"));
  const std::size_t second = b.streams().connect("ack=1&clientId=2&ticket=" + this->create(a, "ann"));
  const std::string id = b.streams()[stream].connection_id;
  const std::string key = b.streams()[stream].request_key;
  ASSERT_THAT(key, ::testing::StartsWith("ssek_"));
  const auto listen = [&](ClusterNode& node, const std::string& with, const std::string& connection) {
    return node.pages().post("/my-sse/connect/addListener.do?requestKey=" + with,
                             {{"connectionId", connection}, {"listener", {"note"}}});
  };
  for (ClusterNode* node : {&a, &b}) {
    EXPECT_EQ(listen(*node, key, id).json()["data"]["listener"], Json({"note"})) << node->id();
    // Of another stream, although the user is the same.
    EXPECT_EQ(listen(*node, key, b.streams()[second].connection_id).json()["data"]["error"], "connectionId not exist");
    EXPECT_EQ(listen(*node, b.streams()[second].request_key, id).json()["data"]["error"], "connectionId not exist");
    std::string forged = key;
    forged.back() = forged.back() == '0' ? '1' : '0';
    const HttpResponse refused = listen(*node, forged, id);
    EXPECT_EQ(refused.status, 401) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("request key"));
  }
  const Json sent = a.send_to_user("ann", "kept", {{"qos", true}});
  ASSERT_TRUE(b.receives(stream, "kept"));
  const HttpResponse acknowledged = a.pages().post("/my-sse/connect/ack.do?requestKey=" + key,
                                                   {{"connectionId", id}, {"ids", Json::array({sent["id"]})}});
  EXPECT_EQ(acknowledged.json()["data"]["acked"], 1) << acknowledged.body;
  const HttpResponse said =
      a.pages().post("/my-sse/connect/message/hello.do?requestKey=" + key + "&connectionId=" + id, {{"text", "hi"}});
  EXPECT_EQ(said.status, 200) << said.body;
  EXPECT_THAT(said.body, Not(HasSubstr("ssek_")));
  const HttpResponse goodbye = a.pages().request("POST", "/my-sse/connect/disconnect.do?requestKey=" + key,
                                                 "connectionId=" + id, "application/x-www-form-urlencoded");
  EXPECT_EQ(goodbye.json()["data"]["count"], 1) << goodbye.body;
  EXPECT_TRUE(b.streams().run_until([&] { return b.streams()[stream].ended; }));
}

using RedisTicketsTest = ClusterOver<OverRedis>;

TEST_F(RedisTicketsTest, ATicketOutlivesTheNodeThatIssuedIt) {
  ClusterNode& a = start("a");
  ClusterNode& b = start("b");
  settle();
  const HttpResponse created = a.post("/api/v1/tickets", {{"user", "ann"}});
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(a.server().stop(), 0);
  b.streams().connect("ticket=" + created.json()["ticket"].get<std::string>());
  EXPECT_EQ(b.get("/api/v1/users")["total"], 1);
}

TEST_F(RedisTicketsTest, WithoutRedisTicketsAreRefusedAsUnavailableAndNotAsUsed) {
  ClusterNode& a = start("a");
  settle();
  const HttpResponse created = a.post("/api/v1/tickets", {{"user", "ann"}, {"ttl", "10m"}});
  ASSERT_EQ(created.status, 200) << created.body;
  const std::string query = "ticket=" + created.json()["ticket"].get<std::string>();
  bus_.redis.kill();
  ASSERT_TRUE(eventually([&] { return a.post("/api/v1/tickets", {{"user", "ann"}}).status == 503; }));
  EXPECT_EQ(status_of(a, a.streams().open(query)), 503);
  bus_.redis.start();
  ASSERT_TRUE(eventually([&] { return a.post("/api/v1/tickets", {{"user", "ann"}}).status == 200; }));
  EXPECT_EQ(status_of(a, a.streams().open(query)), 200);
}

}  // namespace
}  // namespace sse::testing
