// Requests of pages in a cluster of real servers, over each bus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/client.h"
#include "support/cluster.h"

namespace sse::testing {
namespace {

using ::testing::HasSubstr;

template <class Bus>
class ClusterPagesTest : public ClusterOver<Bus> {};
TYPED_TEST_SUITE(ClusterPagesTest, EveryBus, BusName);

TYPED_TEST(ClusterPagesTest, WhatAPageSaysReachesItsStreamThroughAnyNode) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  const std::size_t stream = b.streams().connect("userId=1");
  const std::string id = b.streams()[stream].connection_id;
  HttpResponse response =
      a.pages().post("/my-sse/connect/addListener.do?userId=1", {{"connectionId", id}, {"listener", {"note"}}});
  EXPECT_EQ(response.json()["data"]["listener"], Json({"note"}));
  // Not for another user, through whichever node.
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

TYPED_TEST(ClusterPagesTest, PagesThatMayAskGetTheWholeClusterToo) {
  ClusterNode& a = this->start("a", {"--enable-get-json"});
  ClusterNode& b = this->start("b", {"--enable-get-json"});
  this->settle();
  a.streams().connect("userId=1");
  b.streams().connect("userId=1");
  b.streams().connect("userId=2");
  const auto ask = [&](const std::string& query) { return a.pages().get("/my-sse/connect/" + query).json()["data"]; };
  EXPECT_EQ(ask("users.json?userId=1")["total"], 2);
  EXPECT_EQ(ask("users.json")["timeout"], false);
  EXPECT_EQ(ask("users.json?cluster=false")["total"], 1);
  EXPECT_EQ(ask("connections.json?pageSize=2&pageNum=2")["list"].size(), 1u);
  EXPECT_EQ(ask("connections.json?pageSize=0")["total"], 3);
  ClusterNode& c = this->start("c");
  const HttpResponse refused = c.pages().get("/my-sse/connect/users.json");
  EXPECT_EQ(refused.status, 403) << refused.body;
}

TYPED_TEST(ClusterPagesTest, AnUploadThroughAnotherNodeReachesTheOneWithTheStream) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
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
