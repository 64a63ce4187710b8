#include "admin/admin_routes.h"

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class AdminRoutesTest : public ServerTest {
 protected:
  // What a refused request is answered: a problem that names `code` and whose sentence holds `part`.
  static void expect_problem(const Json& problem, int status, const std::string& code, const std::string& part = "") {
    EXPECT_EQ(problem.value("status", 0), status) << problem;
    EXPECT_EQ(problem.value("code", ""), code) << problem;
    EXPECT_EQ(problem.value("type", ""), "about:blank");
    EXPECT_NE(problem.value("title", ""), "");
    EXPECT_THAT(problem.value("detail", ""), AllOf(Not(::testing::StrEq("")), HasSubstr(part)));
  }
};

TEST_F(AdminRoutesTest, SendsToWhoIsNamed) {
  start();
  OpenStream page = stream("userId=1&tenantId=t&access-token=kkkkkkkk&channel=c&listeners=news");
  const Json sent =
      admin_post("/api/v1/send", {{"target", {{"users", {"1", "2"}}}}, {"event", "news"}, {"data", "hi"}});
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["pending"], 0);
  EXPECT_EQ(sent["recipients"], (Json{{{"kind", "user"}, {"name", "1"}, {"delivered", 1}},
                                      {{"kind", "user"}, {"name", "2"}, {"delivered", 0}}}));
  EXPECT_TRUE(page.client.receive_until("id:" + sent["id"].get<std::string>() + "\nevent:news\ndata:hi\n\n"));
  for (const Json& target :
       {Json{{"users", {1}}}, Json{{"tenants", {"t"}}}, Json{{"tokens", {"kkkkkkkk"}}}, Json{{"channels", {"c"}}},
        Json{{"all", true}}, Json{{"all", true}, {"listening", true}}}) {
    EXPECT_EQ(admin_post("/api/v1/send", {{"target", target}, {"event", "news"}})["delivered"], 1) << target;
  }
  EXPECT_EQ(
      admin_post("/api/v1/send", {{"target", {{"all", true}, {"listening", true}}}, {"event", "other"}})["delivered"],
      0);
}

TEST_F(AdminRoutesTest, SendsAnyJsonAsDataAndServerPushByDefault) {
  start();
  OpenStream page = stream();
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", {{"a", Json{1, nullptr}}}}});
  EXPECT_TRUE(page.client.receive_until("event:server-push\ndata:{\"a\":[1,null]}\n\n"));
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", 17}});
  EXPECT_TRUE(page.client.receive_until("data:17\n\n"));
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "a\r\nb\rc\n"}});
  EXPECT_TRUE(page.client.receive_until("data:a\ndata:b\ndata:c\ndata:\n\n"));
}

TEST_F(AdminRoutesTest, RefusesSendsThatMakeNoSense) {
  start();
  const Json all{{"all", true}};
  struct Case {
    Json body;
    std::string part;
  };
  for (const Case& c : std::vector<Case>{{Json::object(), "target"},
                                         {Json::array(), ""},
                                         {{{"target", Json::object()}}, ""},
                                         {{{"target", {{"users", Json::array()}}}}, ""},
                                         {{{"target", {{"users", {"1"}}, {"all", true}}}}, ""},
                                         {{{"target", {{"users", {""}}}}}, ""},
                                         {{{"target", {{"users", {true}}}}}, ""},
                                         {{{"target", {{"people", {"1"}}}}}, "people"},
                                         {{{"target", {{"all", false}}}}, ""},
                                         {{{"target", all}, {"evnt", "x"}}, "evnt"},
                                         {{{"target", all}, {"event", "a\nb"}}, ""},
                                         {{{"target", all}, {"event", 5}}, "event"},
                                         {{{"target", all}, {"qos", "yes"}}, "qos"},
                                         {{{"target", all}, {"qos", true}, {"ttl", "soon"}}, "soon"},
                                         {{{"target", all}, {"qos", true}, {"ttl", "0"}}, "ttl"},
                                         {{{"target", all}, {"ttl", "1h"}}, "qos"}}) {
    expect_problem(admin_post("/api/v1/send", c.body, 400), 400, "invalid_argument", c.part);
  }
  expect_problem(admin_post("/api/v1/send", {{"target", all}, {"service", "none"}}, 404), 404, "not_found", "none");
  auto http = admin();
  expect_problem(parsed(http.Post("/api/v1/send", "{", "application/json"), 400), 400, "invalid_argument");
  expect_problem(parsed(http.Post("/api/v1/send", "", "application/json"), 400), 400, "invalid_argument");
  expect_problem(
      parsed(http.Post("/api/v1/send", "{\"target\":{\"all\":true},\"data\":\"\\ud800\"}", "application/json"), 400),
      400, "invalid_argument");
  expect_problem(
      parsed(http.Post("/api/v1/send", "{\"target\":{\"all\":true},\"data\":\"\xff\"}", "application/json"), 400), 400,
      "invalid_argument");
}

TEST_F(AdminRoutesTest, SaysThatARecipientHasTooManyPending) {
  options_.qos_max_per_user = 1;
  start();
  const Json send{{"target", {{"users", {"1"}}}}, {"qos", true}};
  EXPECT_EQ(admin_post("/api/v1/send", send)["pending"], 1);
  expect_problem(admin_post("/api/v1/send", send, 429), 429, "limit_exceeded");
}

TEST_F(AdminRoutesTest, ListsConnectionsByWhatIsAsked) {
  start();
  const OpenStream a = stream("userId=a&tenantId=t&access-token=kkkkkkkk&clientId=one");
  const OpenStream b = stream("userId=b&tenantId=t&channel=c&listeners=news");
  const auto ids = [&](const std::string& query) {
    std::string list;
    const Json answer = admin_get("/api/v1/connections" + query);
    for (const Json& item : answer["list"]) list += item["id"].get<std::string>() + " ";
    return list;
  };
  EXPECT_EQ(ids(""), a.id + " " + b.id + " ");
  EXPECT_EQ(ids("?user=a"), a.id + " ");
  EXPECT_EQ(ids("?tenant=t"), a.id + " " + b.id + " ");
  EXPECT_EQ(ids("?token=kkkkkkkk"), a.id + " ");
  EXPECT_EQ(ids("?channel=c&listening=news"), b.id + " ");
  EXPECT_EQ(ids("?client=one"), a.id + " ");
  EXPECT_EQ(ids("?user=nobody"), "");
  EXPECT_EQ(ids("?pageSize=1&pageNum=2"), b.id + " ");
  EXPECT_EQ(ids("?pageSize=1&pageNum=3"), "");
  EXPECT_EQ(ids("?service=defaultConnectionService"), a.id + " " + b.id + " ");
  const Json page = admin_get("/api/v1/connections?pageSize=1");
  EXPECT_EQ(page["total"], 2);
  EXPECT_EQ(page["pageNum"], 1);
  EXPECT_EQ(page["pageSize"], 1);
  for (const std::string query :
       {"?pageNum=0", "?pageSize=x", "?pageSize=10001", "?pageNum=-1", "?usr=a", "?pageSize="})
    expect_problem(admin_get("/api/v1/connections" + query, 400), 400, "invalid_argument");
  expect_problem(admin_get("/api/v1/connections?service=none", 404), 404, "not_found");
}

TEST_F(AdminRoutesTest, ShowsAndClosesConnections) {
  start();
  OpenStream a = stream("userId=a");
  OpenStream b = stream("userId=b");
  EXPECT_EQ(admin_get("/api/v1/connections/" + a.id)["accessUserId"], "a");
  expect_problem(admin_get("/api/v1/connections/1", 404), 404, "not_found");
  expect_problem(admin_get("/api/v1/connections/x", 400), 400, "invalid_argument");
  expect_problem(admin_get("/api/v1/connections/99999999999999999999", 400), 400, "invalid_argument");
  EXPECT_EQ(admin_post("/api/v1/connections/close", {{"ids", {a.id, "1"}}}), (Json{{"closed", 1}}));
  EXPECT_TRUE(a.client.receive_until("event:connect-close\n"));
  expect_problem(admin_get("/api/v1/connections/" + a.id, 404), 404, "not_found");
  EXPECT_EQ(admin_post("/api/v1/connections/close", {{"target", {{"users", {"b"}}}}}), (Json{{"closed", 1}}));
  EXPECT_TRUE(b.client.receive_until("event:connect-close\n"));
  const Json all{{"all", true}};
  for (const Json& body : {Json::object(), Json{{"ids", Json::array()}}, Json{{"ids", {"x"}}}, Json{{"ids", "1"}},
                           Json{{"ids", {"1"}}, {"target", all}}, Json{{"id", "1"}}, Json{{"ids", {{{"id", "1"}}}}}}) {
    expect_problem(admin_post("/api/v1/connections/close", body, 400), 400, "invalid_argument");
  }
}

TEST_F(AdminRoutesTest, ClosesOnlyThoseWhoListenOrRefuses) {
  start();
  const OpenStream page = stream("userId=a&listeners=news");
  // Without an event there is nothing to listen to: it must not close everybody.
  expect_problem(admin_post("/api/v1/connections/close", {{"target", {{"all", true}, {"listening", true}}}}, 400), 400,
                 "invalid_argument", "listening");
  EXPECT_EQ(admin_get("/api/v1/connections")["total"], 1);
}

TEST_F(AdminRoutesTest, ShowsAndDeletesPendingMessages) {
  start();
  const Json first = admin_post("/api/v1/send", {{"target", {{"users", {"1", "2"}}}}, {"data", "hi"}, {"qos", true}});
  const Json second = admin_post(
      "/api/v1/send", {{"target", {{"tokens", {"abcdefghijkl"}}}}, {"event", "news"}, {"qos", true}, {"ttl", "1h"}});
  EXPECT_EQ(first["pending"], 2);
  const Json all = admin_get("/api/v1/messages");
  EXPECT_EQ(all["total"], 3);
  ASSERT_EQ(all["list"].size(), 3U);
  EXPECT_EQ(all["list"][0]["recipient"], "1");
  EXPECT_EQ(all["list"][0]["size"], 2);
  EXPECT_FALSE(all["list"][0].contains("data"));
  EXPECT_EQ(all["list"][2]["recipient"], "abcd***");
  EXPECT_EQ(all["list"][2]["expireTime"].get<std::int64_t>() - all["list"][2]["createTime"].get<std::int64_t>(),
            3'600'000);
  EXPECT_EQ(admin_get("/api/v1/messages?kind=user&recipient=2")["total"], 1);
  EXPECT_EQ(admin_get("/api/v1/messages?event=news")["total"], 1);
  EXPECT_EQ(admin_get("/api/v1/messages?pageSize=2&pageNum=2")["list"].size(), 1U);
  expect_problem(admin_get("/api/v1/messages?kind=people", 400), 400, "invalid_argument");
  expect_problem(admin_get("/api/v1/messages?x=y", 400), 400, "invalid_argument");

  const std::string id = first["id"];
  const Json shown = admin_get("/api/v1/messages/" + id);
  ASSERT_EQ(shown["list"].size(), 2U);
  // What may be large and is the same for all comes once.
  EXPECT_EQ(shown["list"][0]["data"], "hi");
  EXPECT_FALSE(shown["list"][1].contains("data"));
  EXPECT_EQ(parsed(admin().Delete("/api/v1/messages/" + id), 200), (Json{{"deleted", 2}}));
  expect_problem(parsed(admin().Delete("/api/v1/messages/" + id), 404), 404, "not_found");
  expect_problem(admin_get("/api/v1/messages/" + id, 404), 404, "not_found");
  expect_problem(admin_get("/api/v1/messages/x", 400), 400, "invalid_argument");
  EXPECT_EQ(admin_get("/api/v1/messages")["total"], 1);
  EXPECT_EQ(second["pending"], 1);
}

TEST_F(AdminRoutesTest, TellsHowTheServerIs) {
  start();
  const OpenStream page = stream("userId=1");
  admin_post("/api/v1/send", {{"target", {{"users", {"2"}}}}, {"qos", true}});
  const Json status = admin_get("/api/v1/status");
  EXPECT_EQ(status["serverId"], "node-1");
  EXPECT_EQ(status["state"], "ready");
  EXPECT_EQ(status["connections"], 1);
  EXPECT_EQ(status["users"], 1);
  EXPECT_EQ(status["pending"], 1);
  EXPECT_EQ(status["listen"], server_->url());
  EXPECT_EQ(status["services"],
            (Json{{{"name", "defaultConnectionService"}, {"path", "/my-sse"}, {"connections", 1}, {"users", 1}}}));
  EXPECT_GT(status["threads"], 3);
  EXPECT_EQ(admin().Get("/healthz")->body, "ok\n");
  EXPECT_EQ(admin().Get("/readyz")->body, "ready\n");
  const auto metrics = admin().Get("/metrics");
  EXPECT_THAT(metrics->get_header_value("Content-Type"), HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics->body, AllOf(HasSubstr("sse_streams_open{service=\"defaultConnectionService\"} 1\n"),
                                   HasSubstr("sse_pending_messages 1\n")));
}

TEST_F(AdminRoutesTest, SaysWhatIsNotThereAsAProblem) {
  start();
  const auto nothing = admin().Get("/api/v2/send");
  EXPECT_EQ(nothing->get_header_value("Content-Type"), "application/problem+json");
  expect_problem(parsed(nothing, 404), 404, "not_found");
  const auto method = admin().Get("/api/v1/send");
  EXPECT_EQ(method->get_header_value("Allow"), "POST");
  expect_problem(parsed(method, 405), 405, "invalid_argument", "POST");
  EXPECT_EQ(admin().Get("/my-sse")->status, 404);
}

TEST_F(AdminRoutesTest, MakesOneChooseAmongSeveralServices) {
  options_.services = {{"hr", "/hr"}, {"hunter", "/hunter"}};
  start();
  const OpenStream page = stream("userId=1", "", "/hunter");
  expect_problem(admin_post("/api/v1/send", {{"target", {{"all", true}}}}, 400), 400, "invalid_argument", "hr, hunter");
  expect_problem(admin_get("/api/v1/connections", 400), 400, "invalid_argument", "hr, hunter");
  EXPECT_EQ(admin_post("/api/v1/send", {{"target", {{"all", true}}}, {"service", "hunter"}})["delivered"], 1);
  EXPECT_EQ(admin_get("/api/v1/connections?service=hr")["total"], 0);
  EXPECT_EQ(admin_get("/api/v1/connections/" + page.id)["service"], "hunter");
}

class AdminTokenTest : public AdminRoutesTest {
 protected:
  AdminTokenTest() {
    write("s3cret-token\n");
    options_.admin = "127.0.0.1:0";
    options_.admin_token_file = folder_.file("token");
  }
  void write(const std::string& content) const {
    std::ofstream(folder_.file("token")) << content;
    ::chmod(folder_.file("token").c_str(), 0600);
  }
  int status_with(const std::string& authorization) const {
    const std::string address = server_->admin_address();
    const int admin_port = std::atoi(address.c_str() + address.rfind(':') + 1);
    const std::string header = authorization.empty() ? "" : "Authorization: " + authorization + "\r\n";
    const Response got = Client::tcp(admin_port).get("/api/v1/status", header);
    if (got.status == 401) {
      EXPECT_EQ(got.header("WWW-Authenticate"), "Bearer");
      expect_problem(event::parse_json_or_null(got.body), 401, "unauthenticated", "--admin-token-file");
      EXPECT_THAT(got.body, Not(HasSubstr("s3cret")));
    }
    return got.status;
  }
};

TEST_F(AdminTokenTest, IsNeededOnATcpListener) {
  start();
  EXPECT_EQ(status_with("Bearer s3cret-token"), 200);
  EXPECT_EQ(status_with("bearer s3cret-token"), 200);
  for (const std::string wrong :
       {"", "Bearer", "Bearer ", "Bearer s3cret-toke", "Bearer s3cret-tokenx", "s3cret-token", "Basic s3cret-token"}) {
    EXPECT_EQ(status_with(wrong), 401) << wrong;
  }
}

TEST_F(AdminTokenTest, IsReadAgainOnReload) {
  start();
  write("another\n");
  EXPECT_EQ(status_with("Bearer another"), 401);
  server_->reload();
  EXPECT_EQ(status_with("Bearer another"), 200);
  EXPECT_EQ(status_with("Bearer s3cret-token"), 401);
  write("");
  EXPECT_THROW(server_->reload(), Error);
  EXPECT_EQ(status_with("Bearer another"), 200);
}

TEST_F(AdminTokenTest, IsNotOptionalOnTcp) {
  options_.admin_token_file.clear();
  try {
    const server::Server server(options_);
    ADD_FAILURE() << "it took a TCP admin listener without a token";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("--admin-token-file"));
  }
}

}  // namespace
}  // namespace sse::admin
