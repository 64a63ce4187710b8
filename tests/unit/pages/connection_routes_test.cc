#include "pages/connection_routes.h"

#include <string>

#include "unit/pages/one_service.h"

namespace sse::pages {
namespace {

using ::testing::HasSubstr;

class ConnectionRoutesTest : public OneServiceTest {
 protected:
  ConnectionRoutesTest() {
    const auto add = [this](const char* path, auto handle) {
      router_.post(path, [this, handle](const httplib::Request& req, httplib::Response& res) {
        (routes_.*handle)(service(), req, res);
      });
    };
    add("/p/add", &ConnectionRoutes::add_listeners);
    add("/p/remove", &ConnectionRoutes::remove_listeners);
    add("/p/ack", &ConnectionRoutes::acknowledge);
    add("/p/disconnect", &ConnectionRoutes::disconnect);
  }
  Answer post(const std::string& target, const std::string& body) { return request("POST", target, body); }
  static std::string of(const Page& page, const std::string& fields) {
    return R"({"connectionId":")" + page.id.str() + "\"," + fields + "}";
  }

  const ConnectionRoutes routes_{admission_};
};

TEST_F(ConnectionRoutesTest, ChangesTheListenersOfTheUsersOwnConnection) {
  const Page page = open("7");
  EXPECT_THAT(post("/p/add?userId=7", of(page, R"("listener":["b","a"])")).body,
              HasSubstr(R"("data":{"listener":["a","b"]})"));
  EXPECT_THAT(post("/p/remove?userId=7", of(page, R"("listener":["a"])")).body,
              HasSubstr(R"("data":{"listener":["b"]})"));
  EXPECT_THAT(post("/p/add?userId=8", of(page, R"("listener":["c"])")).body,
              HasSubstr(R"({"error":"connectionId not exist"})"));
}

TEST_F(ConnectionRoutesTest, RefusesListenersThatAreNoListOfNames) {
  for (const char* body : {"", "[]", "{}", R"({"listener":"a"})", R"({"listener":[1]})", R"({"listener":["a\nb"]})"})
    EXPECT_EQ(post("/p/add", body).status, 400) << body;
}

TEST_F(ConnectionRoutesTest, AcknowledgesEachMessageOnce) {
  Page page = open("7");
  const delivery::SendResult sent =
      service().sender->send({{event::TargetKind::kUser, {"7"}, false}, "news", "hello", true});
  ASSERT_TRUE(page.client.receive_until("hello"));
  const std::string id = std::to_string(sent.id);
  EXPECT_EQ(repository_.size(), 1U);
  const std::string body = of(page, R"("ids":[")" + id + R"(",")" + id + R"(","not-ours"])");
  EXPECT_THAT(post("/p/ack?userId=8", body).body, HasSubstr(R"("data":{"acked":0,"error":"connectionId not exist"})"));
  EXPECT_THAT(post("/p/ack?userId=7", body).body, HasSubstr(R"("data":{"acked":1})"));
  EXPECT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
}

TEST_F(ConnectionRoutesTest, RefusesAcknowledgementsThatAreNoListOfIds) {
  for (const char* body : {"", "[]", "{}", R"({"ids":"1"})"}) EXPECT_EQ(post("/p/ack", body).status, 400) << body;
  std::string many = R"({"ids":["1")";
  for (int i = 0; i < 10'000; ++i) many += ",1";
  EXPECT_EQ(post("/p/ack", many + "]}").status, 400);
}

TEST_F(ConnectionRoutesTest, DisconnectsTheUsersOwnConnection) {
  Page page = open("7");
  const std::string target = "/p/disconnect?connectionId=" + page.id.str();
  EXPECT_THAT(post(target + "&userId=8", "").body, HasSubstr(R"("data":{"count":0})"));
  EXPECT_THAT(post(target + "&userId=7", "").body, HasSubstr(R"("data":{"count":1})"));
  EXPECT_TRUE(page.client.receive_all());
  EXPECT_THAT(post("/p/disconnect?connectionId=x", "").body, HasSubstr(R"("data":{"count":0})"));
}

}  // namespace
}  // namespace sse::pages
