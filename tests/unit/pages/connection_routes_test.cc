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
    add("/p/add.do", &ConnectionRoutes::add_listeners);
    add("/p/ack.do", &ConnectionRoutes::acknowledge);
    add("/p/disconnect.do", &ConnectionRoutes::disconnect);
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

TEST_F(ConnectionRoutesTest, ARequestKeyIsGoodForItsOwnConnectionWithoutCredentials) {
  Page page = open("7");
  const Page other = open("7");
  const std::string key = tickets_.make_request_key(page.id, {UserId("7")});
  const delivery::SendResult sent =
      service().sender->send({{event::TargetKind::kUser, {"7"}, false}, "news", "hello", true});
  ASSERT_TRUE(page.client.receive_until("hello"));
  const std::string listener = R"("listener":["a"])";
  // The demo authentication would make it user 1.
  EXPECT_THAT(post("/p/add.do?requestKey=" + key, of(page, listener)).body, HasSubstr(R"({"listener":["a"]})"));
  EXPECT_THAT(request("POST", "/p/add.do", of(page, listener), "X-Sse-Request-Key: " + key + "\r\n").body,
              HasSubstr(R"({"listener":["a"]})"));
  EXPECT_THAT(post("/p/add.do?userId=7&requestKey=" + key, of(other, listener)).body,
              HasSubstr(R"({"error":"connectionId not exist"})"));
  const std::string ids = R"("ids":[")" + std::to_string(sent.id) + R"("])";
  EXPECT_THAT(post("/p/ack.do?requestKey=" + key, of(other, ids)).body, HasSubstr(R"("acked":0)"));
  EXPECT_THAT(post("/p/ack.do?requestKey=" + key, of(page, ids)).body, HasSubstr(R"("acked":1)"));
  const std::string goodbye = "connectionId=" + other.id.str();
  EXPECT_THAT(post("/p/disconnect.do?requestKey=" + key + "&" + goodbye, "").body, HasSubstr(R"("count":0)"));
  EXPECT_THAT(post("/p/disconnect.do?requestKey=" + key + "&connectionId=" + page.id.str(), "").body,
              HasSubstr(R"("count":1)"));
}

TEST_F(ConnectionRoutesTest, ARequestKeyThatThisServerHasNotMadeIsRefused) {
  const Page page = open("7");
  const Answer answer = post("/p/add.do?userId=7&requestKey=ssek_abc.def", of(page, R"("listener":["a"])"));
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.body, HasSubstr("the request key is of a stream that this server has not opened"));
  EXPECT_THAT(answer.head, HasSubstr(R"(WWW-Authenticate: Bearer error="invalid_token")"));
}

TEST_F(ConnectionRoutesTest, RefusesListenersThatAreNoListOfNames) {
  for (const char* body : {"", "[]", R"({"listener":"a"})", R"({"listener":[1]})", R"({"listener":["a\nb"]})"})
    EXPECT_EQ(post("/p/add", body).status, 400) << body;
}

TEST_F(ConnectionRoutesTest, AnswersNullForNoListenersAsTheJavaLibrary) {
  const Page page = open("7");
  for (const std::string none : {R"("x":1)", R"("listener":null)"}) {
    for (const char* path : {"/p/add?userId=7", "/p/remove?userId=7"})
      EXPECT_THAT(post(path, of(page, none)).body, HasSubstr(R"("data":{"listener":null})")) << none;
  }
}

// The goodbye of the Java library's client carries no user.
TEST_F(ConnectionRoutesTest, DisconnectsForWhoeverKnowsBothIdsAndTellsNobody) {
  const std::string secret = "3f2b8a52-6c1e-4d8b-9a65-0d5b6f6a1c77";
  Page page = open("7", {.query = "x=1&clientId=" + secret});
  Page guessable = open("8", {.query = "clientId=pc"});
  const auto goodbye = [&](const Page& whose, const std::string& client) {
    const Answer answer = post("/p/disconnect?connectionId=" + whose.id.str() + "&clientId=" + client, "");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, HasSubstr(R"("data":{"count":0})"));
  };
  goodbye(page, "3f2b8a52-6c1e-4d8b-9a65-0d5b6f6a1c78");
  goodbye(guessable, "pc");
  goodbye(guessable, secret);
  EXPECT_EQ(service().sender->hub().directory().connections(), 2U);
  goodbye(page, secret);
  EXPECT_TRUE(page.client.receive_until("connect-close"));
  EXPECT_FALSE(service().sender->hub().directory().describe(page.id));
  EXPECT_TRUE(service().sender->hub().directory().describe(guessable.id));
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
