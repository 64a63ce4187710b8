#include "pages/publish_routes.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "unit/pages/one_service.h"

namespace sse::pages {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DecidingPublications final : public application::Application {
 public:
  bool decides_publications() const override { return true; }
  void on_publish(const application::PublishRequest& request) override {
    if (status != 0) throw application::Refusal(status, "not now");
    asked.push_back(request.connection.identity.user.str() + " " + request.channel.str() + " " + request.event + " " +
                    request.json);
  }
  application::Answer on_message(const application::ApplicationRequest&, const event::Json&) override { return {{}}; }
  application::Answer on_upload(const application::ApplicationRequest&, const application::Upload&) override {
    return {{}};
  }
  int status = 0;
  std::vector<std::string> asked;
};

class PublishRoutesTest : public OneServiceTest {
 protected:
  PublishRoutesTest() {
    options_.access = &access_;
    options_.rate = 0;
    router_.post("/p/publish.do", [this](const httplib::Request& req, httplib::Response& res) {
      if (!routes_) routes_ = std::make_unique<PublishRoutes>(admission_, application_, metrics_, clock_, options_);
      routes_->publish(service(), req, res);
    });
  }
  Page open_in(const std::string& user, const std::string& channel, const std::string& client = "") {
    auto pair = testing::tcp_pair();
    hub::NewConnection fresh;
    fresh.identity.user = UserId(user);
    if (user == "7") fresh.identity.tenant = TenantId("acme");
    fresh.channels = {{ChannelName(channel), hub::ChannelSource::kLasting}};
    if (!client.empty()) fresh.attributes.query = "clientId=" + client;
    fresh.socket = std::move(pair.server);
    Page page{service().sender->hub().connect(std::move(fresh)), std::move(pair.client)};
    EXPECT_TRUE(page.client.receive_until("\n\n"));
    return page;
  }
  Answer post(const std::string& body, const std::string& query = "userId=7&tenantId=acme",
              const std::string& headers = "Content-Type: application/json\r\n") {
    return request("POST", "/p/publish.do?" + query, body, headers);
  }
  static std::string body_of(const Page& page, const std::string& channel, const std::string& more) {
    return R"({"connectionId":")" + page.id.str() + R"(","channel":")" + channel + R"(",)" + more + "}";
  }
  static std::string say(const Page& page, const std::string& channel, const std::string& more = "") {
    return body_of(page, channel, R"("event":"say","data":{"text":"hi"})" + more);
  }
  double refused(const std::string& reason, const std::string& rule = "") {
    return metrics_
        .snapshot()[R"(sse_publications_refused_total{reason=")" + reason + R"(",rule=")" + rule + R"(",service="s"})"];
  }

  ManualClock clock_;
  auth::PublishAccess access_{true, {}};
  PublishOptions options_;
  DecidingPublications deciding_;
  application::Application* application_ = nullptr;
  std::unique_ptr<PublishRoutes> routes_;
};

TEST_F(PublishRoutesTest, SendsWhatThePageSaysAndWhoItIs) {
  Page ann = open_in("7", "room.1");
  Page bob = open_in("8", "room.1");
  const Answer answer = post(say(ann, "room.1"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"("data":{"id":")"));
  EXPECT_THAT(answer.head, HasSubstr("Cache-Control: no-store"));
  const std::string event =
      "event:say\ndata:{\"from\":{\"tenant\":\"acme\",\"user\":\"7\"},\"data\":{\"text\":\"hi\"}}\n\n";
  EXPECT_TRUE(ann.client.receive_until(event)) << ann.client.received();
  EXPECT_TRUE(bob.client.receive_until(event)) << bob.client.received();
  EXPECT_EQ(post(body_of(bob, "room.1", R"("event":"say","data":null)"), "userId=8").status, 200);
  EXPECT_TRUE(ann.client.receive_until("data:{\"from\":{\"user\":\"8\"},\"data\":null}\n\n"));
  EXPECT_EQ(metrics_.snapshot()[R"(sse_publications_total{service="s"})"], 2);
}

TEST_F(PublishRoutesTest, LeavesTheClientOutThatAsksForIt) {
  Page ann = open_in("7", "room.1", "tab-1");
  Page again = open_in("7", "room.1", "tab-1");
  Page bob = open_in("8", "room.1", "tab-2&clientInstanceId=page-1");
  Page window = open_in("8", "room.1", "tab-2&clientInstanceId=page-2");
  EXPECT_EQ(post(say(ann, "room.1", R"(,"echo":false)")).status, 200);
  EXPECT_TRUE(bob.client.receive_until("event:say"));
  EXPECT_EQ(post(body_of(ann, "room.1", R"("event":"end","data":1)")).status, 200);
  EXPECT_TRUE(ann.client.receive_until("event:end"));
  EXPECT_TRUE(again.client.receive_until("event:end"));
  EXPECT_THAT(ann.client.received() + again.client.received(), Not(HasSubstr("event:say")));
  EXPECT_EQ(post(body_of(bob, "room.1", R"("event":"of-a-page","data":1,"echo":false)"), "userId=8").status, 200);
  EXPECT_TRUE(window.client.receive_until("event:of-a-page"));
  EXPECT_EQ(post(body_of(ann, "room.1", R"("event":"last","data":1)")).status, 200);
  EXPECT_TRUE(bob.client.receive_until("event:last"));
  EXPECT_THAT(bob.client.received(), Not(HasSubstr("event:of-a-page")));
}

TEST_F(PublishRoutesTest, SaysByWhatARefusalIs) {
  access_.set_rules({"open=anyone", "room.*=subscriber", "user.{user}.*=self", "team.*=hook"});
  const Page ann = open_in("7", "room.1");
  EXPECT_EQ(post(say(ann, "room.1")).status, 200);
  EXPECT_EQ(post(say(ann, "open")).status, 200);
  EXPECT_EQ(post(say(ann, "user.7.x")).status, 200);
  const Answer no_rule = post(say(ann, "board"));
  EXPECT_EQ(no_rule.status, 403);
  EXPECT_THAT(no_rule.body, HasSubstr(R"("success":false,"code":403,"data":{"reason":"no-rule"})"));
  EXPECT_EQ(refused("no-rule"), 1);
  EXPECT_THAT(post(say(ann, "room.2")).body, HasSubstr(R"({"reason":"not-subscribed"})"));
  EXPECT_EQ(refused("not-subscribed", "room.*=subscriber"), 1);
  EXPECT_EQ(post(say(ann, "user.8.x")).status, 403);
  EXPECT_THAT(post(say(ann, "team.7")).body, HasSubstr(R"({"reason":"application"})"));
  EXPECT_EQ(metrics_.snapshot()[R"(sse_publications_total{service="s"})"], 3);
}

TEST_F(PublishRoutesTest, AsksTheApplicationWhereARuleSaysSo) {
  application_ = &deciding_;
  access_.set_rules({"open=anyone", "team.*=hook"});
  const Page ann = open_in("7", "room.1");
  EXPECT_EQ(post(say(ann, "open")).status, 200);
  EXPECT_EQ(post(say(ann, "team.7")).status, 200);
  EXPECT_THAT(deciding_.asked, ElementsAre("7 team.7 say {\"text\":\"hi\"}"));
  deciding_.status = 422;
  const Answer answer = post(say(ann, "team.7"));
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr(R"("data":{"reason":"application"},"message":null,"errorMessage":"not now")"));
  EXPECT_EQ(refused("application", "team.*=hook"), 1);
  deciding_.status = 504;
  EXPECT_EQ(post(say(ann, "team.7")).status, 504);
  EXPECT_EQ(refused("application"), 1);
}

TEST_F(PublishRoutesTest, AStreamOfAnotherUserDoesNotExist) {
  const Page ann = open_in("7", "room.1");
  EXPECT_EQ(post(say(ann, "room.1"), "userId=8").status, 404);
  EXPECT_EQ(post(say(ann, "room.1"), "userId=7&tenantId=other").status, 404);
  EXPECT_EQ(post(R"({"connectionId":"1","channel":"room.1","event":"say","data":1})").status, 404);
  EXPECT_EQ(post(R"({"channel":"room.1","event":"say","data":1})").status, 404);
  EXPECT_EQ(refused("connection"), 4);
}

TEST_F(PublishRoutesTest, ReadsNothingButAnEventInJson) {
  const Page ann = open_in("7", "room.1");
  for (const char* type : {"", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"})
    EXPECT_EQ(post(say(ann, "room.1"), "userId=7&tenantId=acme", type).status, 415) << type;
  EXPECT_EQ(post("[]").status, 400);
  EXPECT_EQ(post("{").status, 400);
  const auto status = [&](const std::string& channel, const std::string& more) {
    return post(body_of(ann, channel, more)).status;
  };
  EXPECT_EQ(status("room.1", R"("event":"say")"), 400) << "no data";
  EXPECT_EQ(status("room.1", R"("data":1)"), 400) << "no name";
  EXPECT_EQ(status("room.1", R"("event":7,"data":1)"), 400);
  EXPECT_EQ(status("room.1", R"("event":"say","data":1,"qos":true)"), 400) << "an unknown field";
  EXPECT_EQ(status("room.1", R"("event":"say","data":1,"echo":"no")"), 400);
  EXPECT_EQ(status("", R"("event":"say","data":1)"), 400);
  EXPECT_EQ(status(R"(a\nb)", R"("event":"say","data":1)"), 400);
  EXPECT_EQ(status(std::string(10'000, 'a'), R"("event":"say","data":1)"), 400);
  EXPECT_EQ(status("room.1", R"("event":"a\nb","data":1)"), 400);
  EXPECT_EQ(status("room.1", R"("event":")" + std::string(10'000, 'a') + R"(","data":1)"), 400);
  EXPECT_EQ(status("room.1", R"("event":"say","data":")" + std::string(16 * 1024 - 2, 'a') + R"(")"), 200);
  EXPECT_EQ(status("room.1", R"("event":"say","data":")" + std::string(16 * 1024 - 1, 'a') + R"(")"), 413);
  EXPECT_EQ(refused("invalid"), 16);
}

TEST_F(PublishRoutesTest, TakesNoNameThatMeansSomethingToClients) {
  for (const char* name : {"sse-qos", "sse-channel", "sse-", "connect-finish", "connect-close", "connect-x", "resync",
                           "open", "error", "_set-duration", "", " sse-qos", "say ", "a\rb", "\xFF"})
    EXPECT_FALSE(is_publishable_event(name)) << name;
  for (const char* name : {"say", "message", "server-push", "sse", "Open", "résumé", "a b"})
    EXPECT_TRUE(is_publishable_event(name)) << name;
  const Page ann = open_in("7", "room.1");
  const Answer answer = post(body_of(ann, "room.1", R"("event":"connect-close","data":{"reason":"replaced"})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("'connect-close' cannot be the name of an event that a page publishes"));
}

TEST_F(PublishRoutesTest, AStreamThatPublishesTooOftenIsToldWhenToTryAgain) {
  options_.rate = 1;
  const Page ann = open_in("7", "room.1");
  const Page bob = open_in("8", "room.1");
  EXPECT_EQ(post(say(ann, "room.1")).status, 200);
  const Answer answer = post(say(ann, "room.1"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.head, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(answer.body, HasSubstr(R"({"reason":"rate"})"));
  EXPECT_EQ(refused("rate"), 1);
  EXPECT_EQ(post(say(bob, "room.1"), "userId=8").status, 200);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(post(say(ann, "room.1")).status, 200);
}

TEST_F(PublishRoutesTest, ARequestKeyIsGoodForItsOwnConnection) {
  const Page ann = open_in("7", "room.1");
  const Page other = open_in("7", "room.1");
  const std::string key = tickets_.make_request_key(ann.id, {UserId("7"), TenantId("acme")});
  const std::string header = "Content-Type: application/json\r\nX-Sse-Request-Key: " + key + "\r\n";
  EXPECT_EQ(post(say(ann, "room.1"), "", header).status, 200);
  EXPECT_EQ(post(say(other, "room.1"), "", header).status, 404);
}

TEST_F(PublishRoutesTest, AServerWithoutRightsPublishesNothing) {
  options_.access = nullptr;
  const Page ann = open_in("7", "room.1");
  EXPECT_EQ(post(say(ann, "room.1")).status, 404);
}

}  // namespace
}  // namespace sse::pages
