#include "admin/presence_routes.h"

#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/url.h"
#include "store/imported.h"
#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class PresenceRoutesTest : public ServerTest {
 protected:
  // A server that stops waits for its streams' clients to close.
  void TearDown() override {
    pages_.clear();
    ServerTest::TearDown();
  }
  // Two of alice (one listens to news), bob in another tenant, and a user with neither tenant nor channel.
  void open_pages() {
    pages_.push_back(
        stream("userId=alice&name=Alice%20Ann&tenantId=acme&access-token=secret-of-alice-1&channel=room/1"
               "&listeners=news,chat&clientId=phone&sessionDuration=100"));
    pages_.push_back(
        stream("userId=alice&name=Alice%20Ann&tenantId=acme&access-token=secret-of-alice-2"
               "&clientId=laptop"));
    pages_.push_back(
        stream("userId=bob&name=Bobby&tenantId=other&access-token=secret-of-bob&channel=room/1&listeners=news"));
    pages_.push_back(stream("userId=carol"));
  }
  // One field of each row of a listing, in its order.
  std::vector<std::string> column(const std::string& target, const std::string& field = "") const {
    std::vector<std::string> out;
    const Json page = admin_get(target);
    for (const Json& row : page.value("list", Json::array())) {
      const Json& cell = field.empty() ? row : row.at(field);
      out.push_back(cell.is_string() ? cell.get<std::string>() : cell.dump());
    }
    return out;
  }
  std::vector<std::string> reasons(const Json& row) const {
    std::vector<std::string> codes;
    for (const Json& one : row.at("reasons")) codes.push_back(one.at("code").get<std::string>());
    return codes;
  }

  std::vector<OpenStream> pages_;
};

// Issue: each kind of receiver, listening only or not, with and without qos, with the result of each recipient.
TEST_F(PresenceRoutesTest, SendsInEveryWayThereIs) {
  start();
  open_pages();
  struct Case {
    Json target;
    std::vector<int> taken;      // of each recipient
    std::vector<int> listening;  // the same, listening to news only
  };
  const std::vector<Case> cases{{{{"users", {"alice", "bob", "nobody"}}}, {2, 1, 0}, {1, 1, 0}},
                                {{{"tenants", {"acme", "other"}}}, {2, 1}, {1, 1}},
                                {{{"tokens", {"secret-of-alice-2", "secret-of-bob"}}}, {1, 1}, {0, 1}},
                                {{{"channels", {"room/1", "room/2"}}}, {2, 0}, {2, 0}},
                                {{{"all", true}}, {4}, {2}}};
  int marker = 0;
  std::vector<std::string> for_listeners;
  for (const Case& one : cases) {
    for (const bool listening : {false, true}) {
      for (const bool qos : {false, true}) {
        Json target = one.target;
        if (listening) target["listening"] = true;
        const std::string data = "marker-" + std::to_string(++marker);
        const Json sent =
            admin_post("/api/v1/send", {{"target", target}, {"event", "news"}, {"data", data}, {"qos", qos}});
        const std::vector<int>& expected = listening ? one.listening : one.taken;
        std::vector<int> taken;
        int sum = 0;
        for (const Json& recipient : sent["recipients"]) taken.push_back(recipient["delivered"].get<int>());
        for (const int n : expected) sum += n;
        EXPECT_EQ(taken, expected) << target << qos;
        EXPECT_EQ(sent["delivered"], sum) << target << qos;
        EXPECT_EQ(sent["pending"], qos ? expected.size() : 0U) << target << qos;
        // The one page that is in every target but the tokens, and listens.
        if (!target.contains("tokens")) {
          EXPECT_TRUE(pages_[0].client.receive_until("data:" + data + "\n\n")) << target << qos;
        }
        if (listening) for_listeners.push_back(data);
      }
    }
  }
  // Who listens to nothing never got what was for listeners.
  admin_post("/api/v1/send", {{"target", {{"users", {"carol"}}}}, {"data", "the end"}});
  ASSERT_TRUE(pages_[3].client.receive_until("data:the end\n\n"));
  for (const std::string& data : for_listeners) {
    EXPECT_THAT(pages_[3].client.received(), Not(HasSubstr("data:" + data + "\n"))) << data;
  }
}

TEST_F(PresenceRoutesTest, SendsManyInOneRequestWithALineOfResultForEach) {
  start();
  open_pages();
  std::string body;
  for (const Json& line :
       std::vector<Json>{{{"target", {{"users", {"alice"}}}}, {"data", "a"}},
                         {{"target", {{"users", {"nobody"}}}}, {"data", "b"}, {"qos", true}},
                         {{"target", {{"people", {"x"}}}}},
                         {{"target", {{"tenants", {"other"}}, {"listening", true}}}, {"event", "news"}}})
    body += line.dump() + "\n";
  auto http = admin();
  const auto got = http.Post("/api/v1/send", body, "application/x-ndjson");
  ASSERT_TRUE(got);
  std::vector<Json> lines;
  for (const std::string& line : split_list(got->body, '\n')) lines.push_back(Json::parse(line));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0]["delivered"], 2);
  EXPECT_EQ(lines[1]["pending"], 1);
  EXPECT_EQ(lines[2]["code"], "invalid_argument");
  EXPECT_EQ(lines[3]["delivered"], 1);
}

// A line of `messages export --dead`.
TEST_F(PresenceRoutesTest, KeepsDeadLettersOfAnotherServerAsTheyAre) {
  start();
  const std::string key = store::import_key(MessageId(77), {event::TargetKind::kUser, "alice"});
  const Json letter{{"target", {{"users", {"alice"}}}},
                    {"event", "news"},
                    {"data", "late"},
                    {"qos", true},
                    {"id", key},
                    {"dead", {{"created", 1000}, {"expires", 61'000}, {"died", 62'000}, {"attempts", 3}}}};
  Json without_time = letter;
  without_time["dead"].erase("died");
  Json of_two_lines = letter;
  of_two_lines["event"] = "a\nb";
  auto http = admin();
  const auto got =
      http.Post("/api/v1/send",
                letter.dump() + "\n" + letter.dump() + "\n" + without_time.dump() + "\n" + of_two_lines.dump() + "\n",
                "application/x-ndjson");
  ASSERT_TRUE(got);
  std::vector<Json> lines;
  for (const std::string& line : split_list(got->body, '\n')) lines.push_back(Json::parse(line));
  ASSERT_THAT(lines, SizeIs(4)) << got->body;
  EXPECT_EQ(lines[0]["pending"], 0);
  EXPECT_FALSE(lines[0].contains("repeated"));
  EXPECT_EQ(lines[1]["repeated"], true);
  EXPECT_EQ(lines[2]["code"], "invalid_argument");
  EXPECT_EQ(lines[3]["code"], "invalid_argument");
  const Json dead = admin_get("/api/v1/dead")["list"];
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0]["id"], "77");
  EXPECT_EQ(dead[0]["createTime"], 1000);
  EXPECT_EQ(dead[0]["expireTime"], 61'000);
  EXPECT_EQ(dead[0]["diedTime"], 62'000);
  EXPECT_EQ(dead[0]["attempts"], 3);
  EXPECT_EQ(dead[0]["data"], "late");
}

TEST_F(PresenceRoutesTest, ListsUsersByWhatTheirConnectionsAre) {
  start();
  open_pages();
  EXPECT_THAT(column("/api/v1/users", "id"), ElementsAre("alice", "bob", "carol"));
  EXPECT_THAT(column("/api/v1/user-ids"), ElementsAre("alice", "bob", "carol"));
  EXPECT_THAT(column("/api/v1/user-ids?listening=news"), ElementsAre("alice", "bob"));
  EXPECT_THAT(column("/api/v1/user-ids?tenant=acme&listening=news"), ElementsAre("alice"));
  EXPECT_THAT(column("/api/v1/user-ids?tenant=other&listening=chat"), ElementsAre());
  EXPECT_THAT(column("/api/v1/user-ids?name=BB"), ElementsAre("bob"));
  EXPECT_THAT(column("/api/v1/user-ids?name=ann"), ElementsAre("alice"));
  EXPECT_THAT(column("/api/v1/user-ids?name=carol"), ElementsAre("carol")) << "a nameless user has the id";
  EXPECT_THAT(column("/api/v1/user-ids?channel=room/1"), ElementsAre("alice", "bob"));
  EXPECT_THAT(column("/api/v1/user-ids?client=laptop"), ElementsAre("alice"));
  EXPECT_THAT(column("/api/v1/user-ids?attribute=clientId=laptop"), ElementsAre("alice"));
  EXPECT_THAT(column("/api/v1/user-ids?sort=connections&order=desc"), ElementsAre("alice", "carol", "bob"));
  EXPECT_THAT(column("/api/v1/user-ids?sort=last&order=desc"), ElementsAre("carol", "bob", "alice"));
  EXPECT_THAT(column("/api/v1/user-ids?pageSize=1&pageNum=2"), ElementsAre("bob"));
  EXPECT_THAT(column("/api/v1/user-ids?pageSize=1&pageNum=4"), ElementsAre());
  EXPECT_EQ(admin_get("/api/v1/user-ids?pageSize=1")["total"], 3);

  const Json alice = admin_get("/api/v1/users?user=alice")["list"][0];
  EXPECT_EQ(alice["name"], "Alice Ann");
  EXPECT_EQ(alice["user"], (Json{{"id", "alice"}, {"name", "Alice Ann"}}));
  EXPECT_EQ(alice["connections"], 2);
  EXPECT_EQ(alice["tenants"], Json{"acme"});
  EXPECT_EQ(alice["channels"], Json{"room/1"});
  EXPECT_LE(alice["firstConnectTime"], alice["lastConnectTime"]);
  EXPECT_GE(alice["sessionDuration"], 100);
  EXPECT_EQ(admin_get("/api/v1/users?user=alice&listening=news")["list"][0]["connections"], 1);
}

TEST_F(PresenceRoutesTest, ShowsAUserInFullAndSaysWhoIsOffline) {
  start();
  open_pages();
  const Json alice = admin_get("/api/v1/user?id=alice");
  EXPECT_EQ(alice["service"], "defaultConnectionService");
  EXPECT_THAT(alice["connectionList"], SizeIs(2));
  EXPECT_EQ(alice["connectionList"][0]["id"], pages_[0].id);
  EXPECT_THAT(alice["tokens"], SizeIs(2));
  EXPECT_THAT(alice.dump(), Not(HasSubstr("secret-of")));
  EXPECT_EQ(admin_get("/api/v1/user?id=dave", 404)["code"], "not_found");
  EXPECT_EQ(admin_get("/api/v1/user", 400)["code"], "invalid_argument");
  EXPECT_EQ(admin_get("/api/v1/user?id=", 400)["code"], "invalid_argument");
}

TEST_F(PresenceRoutesTest, ShowsUsersWithUnusualIds) {
  start();
  for (const std::string& id : std::vector<std::string>{"a/b", "..", "a b+c", "日本", "x\ny", std::string(1024, 'u')}) {
    const OpenStream page = stream("userId=" + url_encode(id));
    EXPECT_EQ(admin_get("/api/v1/user?id=" + url_encode(id))["id"], id);
  }
}

TEST_F(PresenceRoutesTest, CountsTenantsChannelsAndTokens) {
  start();
  open_pages();
  const Json channels = admin_get("/api/v1/channels");
  ASSERT_THAT(channels["list"], SizeIs(1));
  EXPECT_EQ(channels["list"][0]["name"], "room/1");
  EXPECT_EQ(channels["list"][0]["connections"], 2);
  EXPECT_EQ(channels["list"][0]["users"], 2);
  EXPECT_THAT(column("/api/v1/tenants", "name"), ElementsAre("acme", "other"));
  EXPECT_THAT(column("/api/v1/tenants?sort=connections", "name"), ElementsAre("other", "acme"));
  EXPECT_THAT(column("/api/v1/tenants?sort=connections", "users"), ElementsAre("1", "1"));
  EXPECT_THAT(column("/api/v1/tenants?user=bob", "name"), ElementsAre("other"));
  const Json tokens = admin_get("/api/v1/tokens");
  EXPECT_EQ(tokens["total"], 3);
  EXPECT_THAT(tokens.dump(), Not(HasSubstr("secret-of")));
  EXPECT_EQ(admin_get("/api/v1/tokens?token=secret-of-bob")["total"], 1);
}

TEST_F(PresenceRoutesTest, ShowsAChannelWithItsMembers) {
  options_.history.events = 10;
  start();
  open_pages();
  pages_.push_back(stream("userId=alice&tenantId=acme&channel=room/1"));
  admin_post("/api/v1/send", {{"target", {{"channels", Json::array({"room/1"})}}}, {"data", "x"}});
  const Json room = admin_get("/api/v1/channel?name=room/1");
  EXPECT_EQ(room["name"], "room/1");
  EXPECT_EQ(room["connections"], 3);
  EXPECT_EQ(room["memberCount"], 2);
  EXPECT_EQ(room["eventsPerMinute"], 1);
  EXPECT_EQ(room["history"]["events"], 1);
  EXPECT_GT(room["history"]["bytes"], 0);
  ASSERT_EQ(room["members"].size(), 2U);
  EXPECT_EQ(room["members"][0]["user"], "alice");
  EXPECT_EQ(room["members"][0]["tenant"], "acme");
  EXPECT_EQ(room["members"][0]["connections"], 2);
  EXPECT_EQ(room["members"][1]["profile"]["name"], "Bobby");
  EXPECT_THAT(room.dump(), Not(HasSubstr("secret-of")));
  EXPECT_EQ(admin_get("/api/v1/channel?name=room/2", 404)["code"], "not_found");
  EXPECT_EQ(admin_get("/api/v1/channel", 400)["code"], "invalid_argument");
  EXPECT_THAT(column("/api/v1/channels?prefix=room", "name"), ElementsAre("room/1"));
  EXPECT_THAT(column("/api/v1/channels?prefix=x", "name"), ElementsAre());
  EXPECT_EQ(admin_get("/api/v1/users?prefix=x", 400)["code"], "invalid_argument");
}

TEST_F(PresenceRoutesTest, SortsConnections) {
  start();
  open_pages();
  for (int i = 0; i < 3; ++i) admin_post("/api/v1/send", {{"target", {{"users", {"bob"}}}}});
  const auto order = [&](const std::string& query) { return column("/api/v1/connections" + query, "id"); };
  const std::string a = pages_[0].id;
  const std::string b = pages_[1].id;
  const std::string c = pages_[2].id;
  const std::string d = pages_[3].id;
  EXPECT_THAT(order(""), ElementsAre(a, b, c, d));
  EXPECT_THAT(order("?order=desc"), ElementsAre(d, c, b, a));
  EXPECT_THAT(order("?sort=user&order=desc"), ElementsAre(d, c, b, a));
  EXPECT_THAT(order("?sort=tenant"), ElementsAre(d, a, b, c));
  EXPECT_THAT(order("?sort=channel"), ElementsAre(b, d, a, c));
  EXPECT_THAT(order("?sort=messages&order=desc&pageSize=1"), ElementsAre(c));
  EXPECT_THAT(order("?sort=bytes&order=desc&pageSize=1"), ElementsAre(c));
  EXPECT_THAT(order("?sort=backlog"), SizeIs(4));
  EXPECT_THAT(order("?sort=lastWrite"), SizeIs(4));
  post("/my-sse/connect/message/x.do?userId=carol&connectionId=" + d, "{}");
  EXPECT_THAT(order("?sort=lastRequest&order=desc&pageSize=1"), ElementsAre(d));
  EXPECT_THAT(order("?name=bobby"), ElementsAre(c));
  EXPECT_GT(admin_get("/api/v1/connections/" + a)["lastWriteTime"], 0);
}

TEST_F(PresenceRoutesTest, RefusesQuestionsThatMakeNoSense) {
  start();
  for (const std::string target :
       {"/api/v1/users?sort=age", "/api/v1/users?order=up", "/api/v1/users?pageNum=0", "/api/v1/users?pageNum=-1",
        "/api/v1/users?pageSize=10001", "/api/v1/users?page=1", "/api/v1/channels?sort=id",
        "/api/v1/connections?sort=", "/api/v1/explain?listening=yes", "/api/v1/explain?tenant=a&tenant=b",
        "/api/v1/explain?event=a%0Ab", "/api/v1/explain?user=", "/api/v1/explain?size=0"}) {
    EXPECT_EQ(admin_get(target, 400)["code"], "invalid_argument") << target;
  }
  EXPECT_EQ(admin_get("/api/v1/users?pageNum=1000000000000&pageSize=10000")["list"], Json::array());
  EXPECT_EQ(admin_get("/api/v1/users?service=none", 404)["code"], "not_found");
}

TEST_F(PresenceRoutesTest, KeepsServicesApart) {
  options_.services = {{"hr", "/hr"}, {"hunter", "/hunter"}};
  start();
  const OpenStream hr = stream("userId=1&channel=c", "", "/hr");
  const OpenStream hunter = stream("userId=2&channel=c", "", "/hunter");
  EXPECT_THAT(column("/api/v1/user-ids?service=hr"), ElementsAre("1"));
  EXPECT_THAT(column("/api/v1/user-ids?service=hunter"), ElementsAre("2"));
  EXPECT_EQ(admin_get("/api/v1/channels?service=hr")["list"][0]["connections"], 1);
  EXPECT_EQ(admin_get("/api/v1/user-ids", 400)["code"], "invalid_argument");
  EXPECT_EQ(admin_get("/api/v1/user?service=hr&id=2", 404)["code"], "not_found");
  EXPECT_EQ(admin_get("/api/v1/connections/" + hunter.id + "?service=hr", 404)["code"], "not_found");
  EXPECT_EQ(admin_get("/api/v1/connections/" + hunter.id + "?service=hunter")["id"], hunter.id);
  const Json why = admin_get("/api/v1/explain?service=hr&user=2");
  EXPECT_THAT(reasons(why["list"][0]), ElementsAre("offline", "other_service"));
}

TEST_F(PresenceRoutesTest, ExplainsWhoWouldGetAnEvent) {
  start();
  open_pages();
  Json why = admin_get("/api/v1/explain?user=alice&user=dave&event=news&listening=true");
  EXPECT_EQ(why["receivers"], 1);
  ASSERT_THAT(why["list"], SizeIs(3));
  EXPECT_EQ(why["list"][0]["connection"], pages_[0].id);
  EXPECT_EQ(why["list"][0]["gets"], true);
  EXPECT_EQ(why["list"][1]["connection"], pages_[1].id);
  EXPECT_THAT(reasons(why["list"][1]), ElementsAre("not_listening"));
  EXPECT_EQ(why["list"][2]["connection"], nullptr);
  EXPECT_EQ(why["list"][2]["user"], "dave");
  EXPECT_THAT(reasons(why["list"][2]), ElementsAre("offline"));
  EXPECT_THAT(why.dump(), Not(HasSubstr("secret-of")));

  why = admin_get("/api/v1/explain?user=bob&tenant=acme&token=k3y&channel=room/2&event=chat&listening=true");
  EXPECT_EQ(why["receivers"], 0);
  EXPECT_THAT(reasons(why["list"][0]), ElementsAre("other_tenant", "other_token", "other_channel", "not_listening"));
  EXPECT_THAT(why["list"][0]["reasons"][0]["detail"], HasSubstr("'other', not 'acme'"));

  EXPECT_EQ(admin_get("/api/v1/explain?tenant=acme")["receivers"], 2);
  EXPECT_EQ(admin_get("/api/v1/explain?channel=room/1&tenant=acme")["receivers"], 1);
  EXPECT_EQ(admin_get("/api/v1/explain?channel=room/1&tenant=acme")["total"], 2);
  EXPECT_EQ(admin_get("/api/v1/explain")["receivers"], 4);
  EXPECT_EQ(admin_get("/api/v1/explain?pageSize=3&pageNum=2")["list"].size(), 1U);
  EXPECT_THAT(reasons(admin_get("/api/v1/explain?token=none")["list"][0]), ElementsAre("offline"));
}

// The explanation and the send must never disagree.
TEST_F(PresenceRoutesTest, ExplainsExactlyWhatASendDoes) {
  start();
  open_pages();
  for (const std::string kind : {"user=alice", "user=bob&user=carol", "tenant=acme", "token=secret-of-bob",
                                 "channel=room/1", "channel=none", "user=dave"}) {
    for (const std::string event : {"news", "chat", "other"}) {
      for (const bool listening : {false, true}) {
        Json target;
        for (const std::string& pair : split_list(kind, '&'))
          target[pair.substr(0, pair.find('=')) + "s"].push_back(pair.substr(pair.find('=') + 1));
        if (listening) target["listening"] = true;
        const Json why =
            admin_get("/api/v1/explain?" + kind + "&event=" + event + (listening ? "&listening=true" : ""));
        const Json sent = admin_post("/api/v1/send", {{"target", target}, {"event", event}});
        EXPECT_EQ(why["receivers"], sent["delivered"]) << target << event;
      }
    }
  }
}

TEST_F(PresenceRoutesTest, ExplainsThatASlowReaderHasNoRoom) {
  options_.max_backlog = kibibytes(64);
  options_.drop_slow = true;
  start();
  const OpenStream page = stream("userId=slow");
  // The client does not read: the socket fills, then the backlog, until nothing is taken any more.
  const Json send{{"target", {{"users", {"slow"}}}}, {"data", std::string(30'000, 'x')}};
  ASSERT_TRUE(eventually([&] { return admin_post("/api/v1/send", send)["delivered"] == 0; }));
  const Json why = admin_get("/api/v1/explain?user=slow&size=31000");
  EXPECT_EQ(why["receivers"], 0);
  EXPECT_THAT(reasons(why["list"][0]), ElementsAre("slow_consumer"));
}

}  // namespace
}  // namespace sse::admin
