#include "pages/query_pages.h"

#include <set>
#include <string>

#include "base/text.h"
#include "unit/server/server_fixture.h"

namespace sse::pages {
namespace {

using namespace testing;

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class QueryPagesTest : public ServerTest {
 protected:
  void start_open() {
    options_.enable_get_json = true;
    start();
  }
  Json ask(const std::string& what, const std::string& query = "") const {
    return data(get("/my-sse/connect/" + what + ".json?" + query));
  }
};

TEST_F(QueryPagesTest, AreOffByDefault) {
  start();
  for (const std::string what : {"users", "connections", "repositoryMessages"}) {
    const Response refused = get("/my-sse/connect/" + what + ".json");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, HasSubstr("--enable-get-json"));
    EXPECT_THAT(refused.body, HasSubstr("\"success\":false"));
  }
}

TEST_F(QueryPagesTest, ListUsers) {
  start_open();
  const OpenStream a = stream("userId=a&name=Ann");
  const OpenStream a2 = stream("userId=a&name=Ann");
  const OpenStream b = stream("userId=b&name=Bob");
  const Json page = ask("users");
  EXPECT_EQ(page, (Json{{"total", 2},
                        {"pageNum", 1},
                        {"pageSize", 100},
                        {"list", {{{"id", "a"}, {"name", "Ann"}}, {{"id", "b"}, {"name", "Bob"}}}},
                        {"timeout", false}}));
  EXPECT_EQ(ask("users", "name=%20BO%20")["list"], (Json{{{"id", "b"}, {"name", "Bob"}}}));
  EXPECT_EQ(ask("users", "cluster=true&timeout=100")["total"], 2);
}

TEST_F(QueryPagesTest, ListTheUsersOfTheConnectionsThatAreMeant) {
  start_open();
  const OpenStream b =
      stream("userId=b&name=Bob&clientId=c2&tenantId=t&access-token=secret-token-1&channel=x&listeners=n");
  const OpenStream a = stream("userId=a&name=Ann&clientId=c1");
  for (const std::string query :
       {"name=bob", "clientId=c2", "tenantId=t", "channel=x", "listeners=n", "accessToken=secret-token-1"}) {
    const Json page = ask("users", query);
    EXPECT_EQ(page["total"], 1) << query;
    EXPECT_EQ(page["list"], (Json{{{"id", "b"}, {"name", "Bob"}}})) << query;
  }
  EXPECT_EQ(ask("users", "tenantId=other")["total"], 0);
  // Who asks, not about whom.
  EXPECT_EQ(ask("users", "userId=b")["total"], 2);
}

TEST_F(QueryPagesTest, ListConnectionsWithTheFieldsOfTheProtocol) {
  start_open();
  const OpenStream b =
      stream("userId=b&name=Bob&clientId=c2&tenantId=t&access-token=secret-token-1&channel=x&listeners=n");
  const OpenStream a = stream("userId=a&name=Ann&clientId=c1");
  const Json page = ask("connections");
  EXPECT_EQ(page["total"], 2);
  EXPECT_EQ(page["list"][0]["id"], a.id) << "sorted by user";
  std::set<std::string> fields;
  for (const auto& [name, value] : page["list"][1].items()) fields.insert(name);
  std::set<std::string> expected;
  for (const std::string& name : split_list(
           "id, createTime, timeout, accessTime, messageCount, channel, channels, sessionDuration, lastRequestTime, "
           "requestMessageCount, requestUploadCount, listeners, locationHref, accessUserId, accessTenantId, "
           "accessToken, "
           "accessUser, clientId, clientVersion, clientImportModuleTime, clientInstanceId, clientInstanceTime, "
           "serverId, "
           "requestIp, requestDomain, userAgent, httpParameters, screen, totalJSHeapSize, usedJSHeapSize, "
           "jsHeapSizeLimit, expireTime"))
    expected.insert(name);
  EXPECT_EQ(fields, expected);
  EXPECT_THAT(page.dump(), Not(HasSubstr("secret-token-1")));
  for (const std::string query :
       {"name=bob", "clientId=c2", "tenantId=t", "channel=x", "listeners=n", "accessToken=secret-token-1"}) {
    const Json found = ask("connections", query);
    ASSERT_THAT(found["list"], SizeIs(1)) << query;
    EXPECT_EQ(found["list"][0]["id"], b.id) << query;
  }
  EXPECT_EQ(ask("connections", "id=" + a.id)["list"][0]["id"], a.id);
  EXPECT_EQ(ask("connections", "id=12345")["total"], 0);
}

TEST_F(QueryPagesTest, ListPendingMessagesWithoutWhatTheySay) {
  start_open();
  const auto keep = [&](const Json& target, const std::string& event) {
    admin_post("/api/v1/send", {{"target", target}, {"event", event}, {"data", "private words"}, {"qos", true}});
  };
  keep({{"users", {"1"}}}, "a");
  keep({{"users", {"1", "2"}}, {"listening", true}}, "b");
  keep({{"channels", {"c"}}}, "a");
  keep({{"tokens", {"secret-token-1"}}}, "a");
  EXPECT_EQ(ask("repositoryMessages")["total"], 5);
  EXPECT_EQ(ask("repositoryMessages", "userId=1")["total"], 2);
  EXPECT_EQ(ask("repositoryMessages", "userId=1&channel=c")["total"], 3);
  EXPECT_EQ(ask("repositoryMessages", "listeners=b")["total"], 2);
  EXPECT_EQ(ask("repositoryMessages", "userId=1&channel=c&listeners=a,b")["total"], 3);
  EXPECT_EQ(ask("repositoryMessages", "tenantId=t")["total"], 0);
  const Json second = ask("repositoryMessages", "userId=1&channel=c&pageSize=2&pageNum=2");
  ASSERT_THAT(second["list"], SizeIs(1));
  EXPECT_EQ(second["list"][0]["channelList"], Json{"c"});
  const Json one = ask("repositoryMessages", "userId=2")["list"][0];
  EXPECT_EQ(one["eventName"], "b");
  EXPECT_EQ(one["listenerName"], "b");
  EXPECT_EQ(one["userIdList"], Json{"2"});
  EXPECT_THAT(ask("repositoryMessages").dump(), Not(HasSubstr("private words")));
  EXPECT_THAT(ask("repositoryMessages").dump(), Not(HasSubstr("secret-token-1")));
}

TEST_F(QueryPagesTest, PageAsTheJavaLibraryDoes) {
  start_open();
  const OpenStream a = stream("userId=a");
  const OpenStream b = stream("userId=b");
  const auto ids = [&](const std::string& query) {
    std::string list;
    for (const std::string what : {"users", "connections"}) {
      const Json page = ask(what, query);
      EXPECT_EQ(page["total"], 2) << query;
      list += std::to_string(page["list"].size());
    }
    return list;
  };
  EXPECT_EQ(ids("pageNum=2&pageSize=1"), "11");
  EXPECT_EQ(ids("pageNum=0"), "22");
  EXPECT_EQ(ids("pageNum=-1"), "22");
  EXPECT_EQ(ids("pageNum=3&pageSize=1"), "00");
  EXPECT_EQ(ids("pageNum=1000000000000&pageSize=1000000000000"), "00");
  EXPECT_EQ(ids("pageNum=99999999999999999999999&pageSize=99999999999999999999999"), "00");
  EXPECT_EQ(ids("pageNum=-99999999999999999999999"), "22");
  EXPECT_EQ(ids("pageSize=0"), "00");
  EXPECT_EQ(ids("pageSize=-5"), "00");
  for (const std::string query :
       {"pageNum=one", "pageSize=1.5", "timeout=soon", "timeout=-1", "pageNum=1%00", "id=x"}) {
    EXPECT_EQ(get("/my-sse/connect/connections.json?" + query).status, 400) << query;
  }
}

TEST_F(QueryPagesTest, AreForKnownUsersAndGetAlone) {
  class LetsNoUserIn final : public auth::Authenticator {
    std::optional<auth::User> authenticate(const auth::PageRequest&) override { return std::nullopt; }
  };
  options_.enable_get_json = true;
  start(std::make_unique<LetsNoUserIn>());
  EXPECT_EQ(get("/my-sse/connect/users.json").status, 401);
  EXPECT_EQ(post("/my-sse/connect/users.json", "{}").status, 405);
}

TEST_F(QueryPagesTest, ShowTheClientIdOfOnesOwnStreamsAlone) {
  start_open();
  const OpenStream mine = stream("userId=a&tenantId=t&clientId=abcdefghijkl");
  const OpenStream twin = stream("userId=a&tenantId=other&clientId=mnopqrstuvwx");
  const auto client_of = [&](const std::string& query, const OpenStream& page) {
    const Json found = ask("connections", query + "&id=" + page.id)["list"][0];
    EXPECT_EQ(found["clientId"], found["httpParameters"]["clientId"]);
    return found["clientId"];
  };
  EXPECT_EQ(client_of("userId=a&tenantId=t", mine), "abcdefghijkl");
  EXPECT_EQ(client_of("userId=a&tenantId=t", twin), "mnop***");
  EXPECT_EQ(client_of("userId=b", mine), "abcd***");
}

TEST_F(QueryPagesTest, TellNothingAboutChannelsThatTheRequesterMayNotJoin) {
  options_.channel_rules = {"public.*=anyone"};
  start_open();
  const OpenStream a = stream("userId=a&channel=public.news");
  server_->set_channel_rules({"**=anyone"});
  const OpenStream b = stream("userId=b&channel=board");
  delivery::SendRequest message;
  message.target = event::Target::channel(ChannelName("board"));
  message.target.listening = true;
  message.event = "note";
  message.data = "x";
  message.qos = true;
  server_->sender().send(message);
  EXPECT_EQ(ask("users", "userId=c&channel=board")["total"], 1);
  server_->set_channel_rules({"public.*=anyone", "board=anyone"});
  EXPECT_EQ(ask("connections", "userId=&channel=board")["total"], 1);
  server_->set_channel_rules({"public.*=anyone"});
  for (const std::string what : {"users", "connections", "repositoryMessages"}) {
    const Response refused = get("/my-sse/connect/" + what + ".json?userId=c&channel=board");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, HasSubstr("'board' is not open to this user"));
  }
  EXPECT_EQ(data(get("/my-sse/connect/users.json?channel=public.news"))["total"], 1);
  std::set<std::string> shown;
  const Json connections = ask("connections");
  for (const Json& row : connections["list"]) {
    shown.insert(row["channel"].is_null() ? "" : row["channel"].get<std::string>());
    EXPECT_FALSE(row["httpParameters"].contains("channel")) << row.dump();
  }
  EXPECT_EQ(shown, (std::set<std::string>{"public.news", ""}));
  const Json pending = ask("repositoryMessages");
  ASSERT_THAT(pending["list"], SizeIs(1));
  EXPECT_EQ(pending["list"][0]["recipient"], "");
  EXPECT_EQ(pending["list"][0]["channelList"], Json::array());
}

TEST_F(QueryPagesTest, AStreamInAChannelProvesThatItsUserMayReadIt) {
  class Placing final : public application::Application {
   public:
    bool decides_connects() const override { return true; }
    void on_connect(application::ConnectRequest& request) override { request.channel = "board"; }
    application::Answer on_message(const application::ApplicationRequest&, const event::Json&) override { return {{}}; }
    application::Answer on_upload(const application::ApplicationRequest&, const application::Upload&) override {
      return {{}};
    }
  };
  options_.enable_get_json = true;
  options_.channel_rules = {"public.*=anyone"};
  start(nullptr, std::make_unique<Placing>());
  const OpenStream a = stream("userId=a&tenantId=t");
  EXPECT_EQ(get("/my-sse/connect/users.json?userId=a&channel=board").status, 403) << "a user of no tenant is another";
  EXPECT_EQ(get("/my-sse/connect/users.json?userId=b&tenantId=t&channel=board").status, 403);
  EXPECT_EQ(get("/my-sse/connect/users.json?userId=a&tenantId=t&channel=board").status, 200);
}

}  // namespace
}  // namespace sse::pages
