#include "admin/duration_routes.h"

#include <string>

#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class DurationRoutesTest : public ServerTest {
 protected:
  Json set(const Json& whom, std::int64_t seconds, int status = 200) const {
    Json body = whom;
    body["duration"] = seconds;
    return admin_post("/api/v1/durations", body, status);
  }
  std::int64_t duration_of(const std::string& connection) const {
    return admin_get("/api/v1/durations?connection=" + connection)["connections"][0]["sessionDuration"];
  }
  std::uint64_t settings_pending() const {
    return admin_get("/api/v1/messages?event=sse-set-duration")["total"].get<std::uint64_t>();
  }

  const Json kUser{{"target", {{"users", {"1"}}}}};
};

TEST_F(DurationRoutesTest, CountsFromWhatTheClientSays) {
  start();
  const OpenStream page = stream("sessionDuration=500");
  const Json read = admin_get("/api/v1/durations?user=1");
  ASSERT_THAT(read["connections"], SizeIs(1));
  EXPECT_EQ(read["connections"][0]["id"], page.id);
  EXPECT_EQ(read["connections"][0]["set"], false);
  EXPECT_EQ(read["pending"], nullptr);
  EXPECT_GE(duration_of(page.id), 500);
  EXPECT_GE(admin_get("/api/v1/connections/" + page.id)["sessionDuration"], 500);
}

TEST_F(DurationRoutesTest, TellsWhoIsOnlineAtOnce) {
  start();
  OpenStream one = stream("access-token=kkkkkkkk");
  OpenStream two = stream("");
  EXPECT_EQ(set(kUser, 120)["connections"], 2);
  for (OpenStream* page : {&one, &two}) {
    EXPECT_TRUE(page->client.receive_until("event:sse-set-duration\ndata:{\"duration\":\"120\"}\n\n"));
    EXPECT_GE(duration_of(page->id), 120);
    EXPECT_LT(duration_of(page->id), 300);
  }
  EXPECT_TRUE(eventually([&] { return settings_pending() == 0; })) << "confirmed, and forgotten";
  EXPECT_EQ(set({{"target", {{"tokens", {"kkkkkkkk"}}}}}, 1000)["connections"], 1);
  EXPECT_GE(duration_of(one.id), 1000);
  EXPECT_LT(duration_of(two.id), 300);
  EXPECT_EQ(admin_get("/api/v1/durations?token=kkkkkkkk")["connections"][0]["set"], true);
}

TEST_F(DurationRoutesTest, TellsASingleConnection) {
  start();
  OpenStream one = stream("");
  const OpenStream two = stream("");
  EXPECT_EQ(set({{"ids", {one.id, "999"}}}, 777)["connections"], 1);
  EXPECT_TRUE(one.client.receive_until("data:{\"duration\":\"777\"}\n\n"));
  EXPECT_GE(duration_of(one.id), 777);
  EXPECT_LT(duration_of(two.id), 300);
  EXPECT_EQ(set({{"ids", {"999"}}}, 777, 404)["code"], "not_found");
  EXPECT_EQ(settings_pending(), 0U);
}

TEST_F(DurationRoutesTest, WaitsForWhoIsOffline) {
  start();
  EXPECT_EQ(set(kUser, 60)["pending"], 1);
  EXPECT_EQ(set(kUser, 90)["pending"], 1);
  EXPECT_EQ(settings_pending(), 1U) << "only the newest is kept";
  const Json read = admin_get("/api/v1/durations?user=1");
  EXPECT_EQ(read["pending"]["duration"], 90);
  EXPECT_GT(read["pending"]["expireTime"], read["pending"]["createTime"]);
  OpenStream page = stream("sessionDuration=5");
  EXPECT_TRUE(page.client.receive_until("event:sse-set-duration\ndata:{\"duration\":\"90\"}\n\n"));
  EXPECT_THAT(page.client.received(), Not(HasSubstr("\"60\"")));
  EXPECT_GE(duration_of(page.id), 90);
  EXPECT_TRUE(eventually([&] { return settings_pending() == 0; }));
}

TEST_F(DurationRoutesTest, SurvivesARestart) {
  options_.database = folder_.file("pending.db");
  start();
  set({{"target", {{"users", {"1"}}}}, {"ttl", "1h"}}, 4321);
  server_->stop();
  server_.reset();
  start();
  OpenStream page = stream("");
  EXPECT_TRUE(page.client.receive_until("data:{\"duration\":\"4321\"}\n\n"));
  EXPECT_GE(duration_of(page.id), 4321);
}

TEST_F(DurationRoutesTest, ClearsWhatWasSet) {
  start();
  set(kUser, 60);
  Json cleared = admin_post("/api/v1/durations/clear", kUser);
  EXPECT_EQ(cleared["pending"], 1);
  EXPECT_EQ(cleared["connections"], 0);
  EXPECT_EQ(settings_pending(), 0U);

  OpenStream page = stream("sessionDuration=7");
  set(kUser, 5000);
  ASSERT_TRUE(page.client.receive_until("\"5000\""));
  cleared = admin_post("/api/v1/durations/clear", kUser);
  EXPECT_EQ(cleared["connections"], 1);
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "the end"}});
  ASSERT_TRUE(page.client.receive_until("data:the end\n\n"));
  const std::string all = page.client.received();
  EXPECT_LT(all.find("sse-set-duration"), all.rfind("sse-set-duration")) << "the page counts on from its own";
  EXPECT_LT(duration_of(page.id), 300);
  EXPECT_EQ(admin_get("/api/v1/durations?user=1")["connections"][0]["set"], false);
  EXPECT_EQ(admin_post("/api/v1/durations/clear", {{"ids", {page.id}}})["connections"], 0);
}

TEST_F(DurationRoutesTest, LeavesOthersTheirShareOfAMessage) {
  start();
  admin_post("/api/v1/send", {{"target", {{"users", {"1", "2"}}}},
                              {"event", "sse-set-duration"},
                              {"data", R"({"duration":"33"})"},
                              {"qos", true}});
  set(kUser, 60);
  EXPECT_EQ(admin_get("/api/v1/durations?user=2")["pending"]["duration"], 33);
  EXPECT_EQ(admin_get("/api/v1/durations?user=1")["pending"]["duration"], 60);
}

TEST_F(DurationRoutesTest, NotesWhatAnySendTellsAPage) {
  start();
  const OpenStream page = stream("");
  admin_post("/api/v1/send",
             {{"target", {{"all", true}}}, {"event", "sse-set-duration"}, {"data", {{"duration", "888"}}}});
  EXPECT_GE(duration_of(page.id), 888);
  // Nonsense is passed on, as any event is, and changes nothing.
  admin_post("/api/v1/send", {{"target", {{"all", true}}}, {"event", "sse-set-duration"}, {"data", "soon"}});
  EXPECT_GE(duration_of(page.id), 888);
}

TEST_F(DurationRoutesTest, IsBoundedLikeAllPendingMessages) {
  options_.qos_max_per_user = 1;
  start();
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"qos", true}});
  EXPECT_EQ(set(kUser, 60, 429)["code"], "limit_exceeded");
}

TEST_F(DurationRoutesTest, RefusesWhatMakesNoSense) {
  start();
  for (const Json& body : std::vector<Json>{{{"duration", 1}},
                                            {{"target", {{"users", {"1"}}}}},
                                            {{"target", {{"users", {"1"}}}}, {"duration", "120"}},
                                            {{"target", {{"users", {"1"}}}}, {"duration", -1}},
                                            {{"target", {{"users", {"1"}}}}, {"duration", 1.5}},
                                            {{"target", {{"users", {"1"}}}}, {"duration", 4'000'000'000}},
                                            {{"target", {{"users", {"1"}}, {"listening", true}}}, {"duration", 1}},
                                            {{"target", {{"tenants", {"1"}}}}, {"duration", 1}},
                                            {{"target", {{"channels", {"1"}}}}, {"duration", 1}},
                                            {{"target", {{"all", true}}}, {"duration", 1}},
                                            {{"target", {{"users", {"1"}}}}, {"duration", 1}, {"ttl", "0"}},
                                            {{"ids", {"5"}}, {"duration", 1}, {"ttl", "1h"}},
                                            {{"ids", {"x"}}, {"duration", 1}},
                                            {{"ids", {"5"}}, {"target", {{"users", {"1"}}}}, {"duration", 1}}}) {
    EXPECT_EQ(admin_post("/api/v1/durations", body, 400)["code"], "invalid_argument") << body;
  }
  for (const Json& body :
       std::vector<Json>{{{"target", {{"users", {"1"}}}}, {"duration", 1}}, {{"target", {{"channels", {"1"}}}}}})
    EXPECT_EQ(admin_post("/api/v1/durations/clear", body, 400)["code"], "invalid_argument") << body;
  for (const std::string query : {"", "?user=1&token=2", "?connection=x", "?users=1"})
    EXPECT_EQ(admin_get("/api/v1/durations" + query, 400)["code"], "invalid_argument") << query;
  EXPECT_EQ(admin_get("/api/v1/durations?connection=5", 404)["code"], "not_found");
}

}  // namespace
}  // namespace sse::admin
