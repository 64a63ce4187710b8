#include "pages/subscription_routes.h"

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "unit/pages/one_service.h"

namespace sse::pages {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DecidingSubscribes final : public application::Application {
 public:
  bool decides_connects() const override { return true; }
  void on_subscribe(application::SubscribeRequest& request) override {
    if (refuse) throw application::Refusal(504, "no answer in time");
    asked.push_back(request.connection.identity.user.str());
    for (RequestedChannel& one : request.channels) {
      asked.push_back(one.name.str() + " " + std::to_string(static_cast<int>(one.right)));
      one.right = one.name.str() == "team.7"          ? ChannelRight::kAllowed
                  : one.name.str() == "public.closed" ? ChannelRight::kRefused
                                                      : one.right;
    }
  }
  application::Answer on_message(const application::ApplicationRequest&, const event::Json&) override { return {{}}; }
  application::Answer on_upload(const application::ApplicationRequest&, const application::Upload&) override {
    return {{}};
  }
  bool refuse = false;
  std::vector<std::string> asked;
};

// The channels whose presence streams watch.
class Recorded final : public hub::PresenceObserver {
 public:
  event::FrameRef watched(const ServiceName&, const std::string& channel, hub::Watch) override {
    const MutexLock lock(mutex_);
    watched_.push_back(channel);
    return channel == "many" ? event::Frame::make("event:sse-presence\ndata:no\n\n") : event::FrameRef();
  }
  void unwatched(const ServiceName&, const std::string&) override {}
  void changed(const ServiceName&, hub::PresenceReport) override {}
  void occupied(const ServiceName&, const std::string&, bool) override {}

  std::vector<std::string> watched_channels() {
    const MutexLock lock(mutex_);
    return watched_;
  }

 private:
  Mutex mutex_;
  std::vector<std::string> watched_ GUARDED_BY(mutex_);
};

class SubscriptionRoutesTest : public OneServiceTest {
 protected:
  SubscriptionRoutesTest() {
    router_.post("/p/subscribe.do", [this](const httplib::Request& req, httplib::Response& res) {
      SubscriptionRoutes(admission_, gate_, application_).subscribe(service(), req, res);
    });
    router_.post("/p/unsubscribe.do", [this](const httplib::Request& req, httplib::Response& res) {
      SubscriptionRoutes(admission_, gate_, application_).unsubscribe(service(), req, res);
    });
  }
  void TearDown() override {
    service().sender->stop();
    loops_.front()->stop();
  }
  // The service again, with an observer of presence.
  void watch_with(hub::PresenceObserver& observer) {
    service().sender->stop();
    loops_.front()->stop();
    services_.clear();
    loops_.clear();
    loops_.push_back(std::make_unique<net::EventLoop>("loop"));
    delivery::SenderOptions options;
    options.hub.service = ServiceName("s");
    options.hub.presence = &observer;
    services_.push_back({"/p", std::make_unique<delivery::Sender>(options, loops_, ids_, metrics_, repository_)});
    loops_.front()->start();
  }
  Answer subscribe(const Page& page, const std::string& channels, const std::string& query = "userId=7",
                   const std::string& action = "subscribe") {
    return request("POST", "/p/" + action + ".do?" + query,
                   R"({"connectionId":")" + page.id.str() + R"(","channels":)" + channels + "}");
  }
  Answer unsubscribe(const Page& page, const std::string& channels, const std::string& query = "userId=7") {
    return subscribe(page, channels, query, "unsubscribe");
  }
  /// A stream with marks, or of a ticket that allows these channels.
  Page open_with(bool marks, std::vector<std::string> granted = {}) {
    auto pair = testing::tcp_pair();
    hub::NewConnection fresh;
    fresh.identity.user = UserId("7");
    fresh.confirms = true;
    fresh.channel_marks = marks;
    fresh.attributes.query = marks ? "channelMarks=1" : "";
    fresh.granted_channels = std::move(granted);
    fresh.socket = std::move(pair.server);
    Page page{service().sender->hub().connect(std::move(fresh)), std::move(pair.client)};
    EXPECT_TRUE(page.client.receive_until("\n\n"));
    return page;
  }
  Answer subscribe_since(const Page& page, const std::string& channels, const std::string& since) {
    return request(
        "POST", "/p/subscribe.do?userId=7",
        R"({"connectionId":")" + page.id.str() + R"(","channels":)" + channels + R"(,"since":)" + since + "}");
  }
  std::vector<std::string> channels_of(const Page& page) {
    std::vector<std::string> names;
    const auto info = service().sender->hub().directory().describe(page.id);
    for (const ChannelName& channel : info->channels) names.push_back(channel.str());
    return names;
  }

  auth::ChannelAccess access_{true, {}};
  ChannelGate gate_{access_, metrics_, Clock::system()};
  DecidingSubscribes deciding_;
  Recorded recorded_;
  application::Application* application_ = nullptr;
};

TEST_F(SubscriptionRoutesTest, AnswersForEachChannel) {
  access_.set_rules({"public.*=anyone", "user.{user}.*=self"});
  const Page page = open("7");
  const Answer answer = subscribe(page, R"(["public.a","user.8.inbox","user.7.inbox","public.a"])");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("data":{"channels":[{"channel":"public.a","joined":true},)"
                                     R"({"channel":"user.8.inbox","joined":false,"reason":"no-rule"},)"
                                     R"({"channel":"user.7.inbox","joined":true}]})"));
  EXPECT_THAT(channels_of(page), ElementsAre("public.a", "user.7.inbox"));
  EXPECT_EQ(metrics_.snapshot()[R"(sse_channels_refused_total{reason="no-rule",rule="",service="s"})"], 1);
  const Answer left = unsubscribe(page, R"(["public.a","public.b"])");
  EXPECT_EQ(left.status, 200);
  EXPECT_THAT(left.body, HasSubstr(R"("data":{"channels":[{"channel":"public.a","left":true},)"
                                   R"({"channel":"public.b","left":false}]})"));
  EXPECT_THAT(channels_of(page), ElementsAre("user.7.inbox"));
}

TEST_F(SubscriptionRoutesTest, PresenceIsWatchedOnlyWhereTheStreamMayBe) {
  watch_with(recorded_);
  access_.set_rules({"public.*=anyone"});
  const Page page = open("7");
  const Answer answer = subscribe(page, R"(["public.a","board"],"presence":["public.a","board"])");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(recorded_.watched_channels(), ElementsAre("public.a"));
  EXPECT_EQ(subscribe(page, R"(["board"],"presence":["board"])").status, 403);
  EXPECT_THAT(recorded_.watched_channels(), ElementsAre("public.a"));
}

TEST_F(SubscriptionRoutesTest, SaysWhichChannelsAreNotWatchedAlthoughTheStreamIsInThem) {
  watch_with(recorded_);
  const Page page = open("7");
  const Answer answer = subscribe(page, R"(["a","many"],"presence":["a","many"])");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body,
              HasSubstr(R"([{"channel":"a","joined":true},)"
                        R"({"channel":"many","joined":true,"presence":false,"reason":"presence-limit"}])"));
  EXPECT_THAT(channels_of(page), ElementsAre("a", "many"));
}

TEST_F(SubscriptionRoutesTest, PresenceIsAListOfTheChannelsThatAreNamed) {
  const Page page = open("7");
  for (const char* given : {"true", "[]", "[7]", R"("a")", R"(["b"])", R"(["a\nb"])"}) {
    const Answer answer = subscribe(page, std::string(R"(["a"],"presence":)") + given);
    EXPECT_EQ(answer.status, 400) << given;
  }
  EXPECT_THAT(channels_of(page), IsEmpty());
}

TEST_F(SubscriptionRoutesTest, AllRefusedIs403WithTheReasons) {
  access_.set_rules({"public.*=anyone"});
  const Page page = open("7");
  const Answer answer = subscribe(page, R"(["*","{user}","board"])");
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.body, HasSubstr(R"("success":false,"code":403,"data":{"channels":[{"channel":"*","joined":false,)"
                                     R"("reason":"no-rule"},)"));
  EXPECT_THAT(channels_of(page), IsEmpty());
}

TEST_F(SubscriptionRoutesTest, TheApplicationIsAskedOnceForAll) {
  application_ = &deciding_;
  access_.set_rules({"public.*=anyone", "team.*=hook"});
  const Page page = open("7");
  const Answer answer = subscribe(page, R"(["team.7","team.8","public.a","public.closed","board"])");
  EXPECT_THAT(deciding_.asked, ElementsAre("7", "team.7 2", "team.8 2", "public.a 1", "public.closed 1", "board 0"));
  EXPECT_THAT(answer.body, HasSubstr(R"([{"channel":"team.7","joined":true},)"
                                     R"({"channel":"team.8","joined":false,"reason":"application"},)"
                                     R"({"channel":"public.a","joined":true},)"
                                     R"({"channel":"public.closed","joined":false,"reason":"application"},)"
                                     R"({"channel":"board","joined":false,"reason":"no-rule"}])"));
  deciding_.refuse = true;
  EXPECT_EQ(subscribe(page, R"(["public.b"])").status, 504);
  EXPECT_THAT(channels_of(page), ElementsAre("team.7", "public.a"));
}

TEST_F(SubscriptionRoutesTest, AStreamOfAnotherUserDoesNotExist) {
  const Page page = open("7");
  EXPECT_EQ(subscribe(page, R"(["a"])", "userId=8").status, 404);
  EXPECT_EQ(unsubscribe(page, R"(["a"])", "userId=8").status, 404);
  EXPECT_EQ(request("POST", "/p/subscribe.do?userId=7", R"({"connectionId":"1","channels":["a"]})").status, 404);
  EXPECT_THAT(channels_of(page), IsEmpty());
}

TEST_F(SubscriptionRoutesTest, ARequestKeyIsGoodForItsOwnConnection) {
  const Page page = open("7");
  const Page other = open("7");
  const std::string key = tickets_.make_request_key(page.id, {UserId("7")});
  EXPECT_EQ(subscribe(page, R"(["a"])", "requestKey=" + key).status, 200);
  EXPECT_EQ(subscribe(other, R"(["a"])", "userId=7&requestKey=" + key).status, 404);
  EXPECT_THAT(channels_of(page), ElementsAre("a"));
  EXPECT_THAT(channels_of(other), IsEmpty());
}

TEST_F(SubscriptionRoutesTest, WithARequestKeyWhatTheTicketAllowsCounts) {
  access_.set_rules({"public.*=anyone"});
  const Page page = open_with(false, {"team.*", "user.{user}.inbox"});
  const std::string key = tickets_.make_request_key(page.id, {UserId("7")});
  const std::string channels = R"(["team.7","user.7.inbox","user.8.inbox","public.a"])";
  EXPECT_THAT(subscribe(page, channels, "requestKey=" + key).body,
              HasSubstr(R"([{"channel":"team.7","joined":true},{"channel":"user.7.inbox","joined":true},)"
                        R"({"channel":"user.8.inbox","joined":false,"reason":"no-rule"},)"
                        R"({"channel":"public.a","joined":true}])"));
  // They are those of the ticket, not of whoever has the same name and other credentials.
  const Page other = open_with(false, {"team.*"});
  EXPECT_EQ(subscribe(other, R"(["team.7"])").status, 403);
}

TEST_F(SubscriptionRoutesTest, SaysWhichChannelsCatchUp) {
  const Page page = open_with(true);
  const Answer answer = subscribe_since(page, R"(["a","b","c"])", R"({"a":"17","c":"0"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"([{"catchesUp":true,"channel":"a","joined":true},{"channel":"b","joined":true},)"
                                     R"({"catchesUp":true,"channel":"c","joined":true}])"));
  EXPECT_THAT(subscribe_since(page, R"(["a"])", R"({"a":"18"})").body,
              HasSubstr(R"([{"catchesUp":false,"channel":"a","joined":true}])"));
}

TEST_F(SubscriptionRoutesTest, WhatIsNoPositionChangesNothing) {
  const Page page = open_with(true);
  for (const char* since :
       {R"("17")", "17", "[]", R"({"a":17})", R"({"a":""})", R"({"a":"-1"})", R"({"a":"17 "})", R"({"a":null})",
        R"({"a":"99999999999999999999"})", R"({"b":"17"})", R"({"a":"17","a\nb":"17"})"}) {
    EXPECT_EQ(subscribe_since(page, R"(["a"])", since).status, 400) << since;
  }
  EXPECT_THAT(channels_of(page), IsEmpty());
  const Page unmarked = open_with(false);
  const Answer answer = subscribe_since(unmarked, R"(["a"])", R"({"a":"17"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("channelMarks=1"));
  EXPECT_THAT(channels_of(unmarked), IsEmpty());
  EXPECT_EQ(subscribe_since(unmarked, R"(["a"])", "null").status, 200);
}

TEST_F(SubscriptionRoutesTest, WhatIsNoListOfNamesChangesNothing) {
  const Page page = open("7");
  std::string many = "[";
  for (int i = 0; i < 101; ++i) many += (i == 0 ? "\"c" : ",\"c") + std::to_string(i) + '"';
  for (const std::string& channels :
       {std::string("\"a\""), std::string("[]"), std::string("[1]"), std::string("{}"), std::string("null"),
        std::string(R"(["a",""])"), std::string(R"(["a\nb"])"), "[\"" + std::string(10'000, 'x') + "\"]", many + "]"}) {
    EXPECT_EQ(subscribe(page, channels).status, 400) << channels.substr(0, 40);
    EXPECT_EQ(unsubscribe(page, channels).status, 400) << channels.substr(0, 40);
  }
  EXPECT_EQ(request("POST", "/p/subscribe.do?userId=7", "[]").status, 400);
  EXPECT_THAT(channels_of(page), IsEmpty());
}

}  // namespace
}  // namespace sse::pages
