#include "pages/connect_route.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "unit/pages/one_service.h"

namespace sse::pages {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// Moves every stream into a channel, or refuses it.
class Deciding final : public application::Application {
 public:
  bool decides_connects() const override { return true; }
  void on_connect(application::ConnectRequest& request) override {
    ++asked;
    probe = request.probe;
    if (refuse) throw application::Refusal(402, "pay first");
    asked_about = request.channels;
    request.join = join;
    if (right) {
      for (RequestedChannel& one : request.channels) one.right = *right;
      return;
    }
    request.channel = "of the application";
    request.attributes.emplace_back("plan", "a b");
  }
  application::Answer on_message(const application::ApplicationRequest&, const event::Json&) override { return {{}}; }
  application::Answer on_upload(const application::ApplicationRequest&, const application::Upload&) override {
    return {{}};
  }
  int asked = 0;
  bool refuse = false;
  bool probe = false;
  std::optional<ChannelRight> right;  // set: it moves no stream, and gives every channel this right
  std::vector<ChannelName> join;
  std::vector<RequestedChannel> asked_about;
};

class ConnectRouteTest : public OneServiceTest {
 protected:
  ConnectRouteTest() {
    const auto connect = [this](const httplib::Request& req, httplib::Response& res) {
      ConnectRoute(admission_, refusals_, gate_, application_, std::nullopt, draining_).connect(service(), req, res);
    };
    router_.get("/p/connect", connect);
    router_.post("/p/connect", connect);
  }
  // Completes the hand-over with the socket of a client, which then has the first event.
  static Page take_over(const Answer& answer) {
    auto pair = testing::tcp_pair();
    net::HandedOverConnection connection;
    connection.socket = std::move(pair.server);
    connection.head.bytes = "HEAD\r\n\r\n";
    answer.hand_over(std::move(connection));
    EXPECT_TRUE(pair.client.receive_until("event:connect-finish"));
    const std::string all = pair.client.received();
    const std::size_t id = all.find("id:") + 3;
    return {ConnectionId(parse_id(all.substr(id, all.find('\n', id) - id)).value_or(0)), std::move(pair.client)};
  }

  std::string ticket(const std::string& user, const std::string& service = "s") {
    return tickets_.create(ServiceName(service), {{UserId(user), TenantId("t"), AccessToken()}, ""}, kTicketLifetime)
        .text;
  }
  // The refusals recorded so far: status, reason and sentence.
  std::vector<std::string> recorded() const {
    std::vector<std::string> all;
    for (const auto& one : activity_log_.last())
      all.push_back(std::to_string(one->status) + " " + one->reason + ": " + one->note);
    return all;
  }
  double counted(const std::string& labels) const {
    const auto all = metrics_.snapshot();
    const auto found = all.find("sse_connects_refused_total{" + labels + "}");
    return found == all.end() ? 0 : found->second;
  }

  application::ActivityLog activity_log_;
  ConnectRefusals refusals_{metrics_, activity_log_, Clock::system()};
  auth::ChannelAccess access_{true, {}};
  ChannelGate gate_{access_, metrics_, Clock::system()};
  std::atomic<bool> draining_{false};
  Deciding deciding_;
  application::Application* application_ = nullptr;
};

TEST_F(ConnectRouteTest, HandsTheSocketOverToTheHub) {
  const Answer answer = request("GET", "/p/connect?userId=7&channel=c");
  EXPECT_EQ(answer.status, 200);
  ASSERT_TRUE(answer.hand_over);
  EXPECT_EQ(service().sender->hub().directory().connections(), 0U);
  const Page page = take_over(answer);
  EXPECT_EQ(service().sender->hub().directory().connections(), 1U);
  EXPECT_EQ(service().sender->hub().directory().users(), 1U);
}

TEST_F(ConnectRouteTest, RefusesStreamsWhileTheServerDrains) {
  draining_ = true;
  const Answer answer = request("GET", "/p/connect");
  EXPECT_EQ(answer.status, 503);
  EXPECT_FALSE(answer.hand_over);
}

TEST_F(ConnectRouteTest, AsksTheApplicationForAStreamAndWhetherAHeadWouldGetOne) {
  application_ = &deciding_;
  const Answer probe = request("HEAD", "/p/connect");
  EXPECT_EQ(probe.status, 200);
  EXPECT_EQ(deciding_.asked, 1);
  EXPECT_TRUE(deciding_.probe);
  const Answer answer = request("GET", "/p/connect?channel=c");
  EXPECT_EQ(deciding_.asked, 2);
  EXPECT_FALSE(deciding_.probe);
  const Page page = take_over(answer);
  const auto found = service().sender->hub().directory().describe(page.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->channel.str(), "of the application");
  EXPECT_EQ(found->attributes.query, "channel=c&plan=a%20b");
}

TEST_F(ConnectRouteTest, TellsAHeadWhatAStreamWouldGetAndOpensNone) {
  application_ = &deciding_;
  const Answer yes = request("HEAD", "/p/connect");
  EXPECT_EQ(yes.status, 200);
  EXPECT_THAT(yes.head, HasSubstr("Content-Type: text/event-stream"));
  deciding_.refuse = true;
  EXPECT_EQ(request("HEAD", "/p/connect").status, 402);
  EXPECT_EQ(request("HEAD", "/p/connect?keepaliveTime=x").status, 400);
  draining_ = true;
  EXPECT_EQ(request("HEAD", "/p/connect").status, 503);
  EXPECT_EQ(service().sender->hub().directory().connections(), 0U);
  EXPECT_THAT(recorded(), IsEmpty()) << "a probe is not a refused stream";
}

TEST_F(ConnectRouteTest, RecordsWhyStreamsAreRefused) {
  application_ = &deciding_;
  deciding_.refuse = true;
  request("GET", "/p/connect?userId=7");
  request("GET", "/p/connect?keepaliveTime=x");
  draining_ = true;
  request("GET", "/p/connect");
  request("GET", "/p/connect");
  EXPECT_THAT(recorded(),
              ElementsAre("402 application: pay first", StartsWith("400 parameters: keepaliveTime 'x'"),
                          "503 draining: this server is shutting down", "503 draining: this server is shutting down"));
  EXPECT_EQ(activity_log_.last().front()->connection->identity.user.str(), "7");
  EXPECT_EQ(counted(R"(reason="application",service="s",status="402")"), 1);
  EXPECT_EQ(counted(R"(reason="draining",service="s",status="503")"), 2);
}

TEST_F(ConnectRouteTest, ATicketOpensOneStreamAsItsUserAndIsShownNowhere) {
  application_ = &deciding_;
  const std::string text = ticket("ann");
  const Answer answer = request("GET", "/p/connect?userId=bob&ticket=" + text + "&clientId=c");
  ASSERT_TRUE(answer.hand_over);
  Page page = take_over(answer);
  const auto found = service().sender->hub().directory().describe(page.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity.user.str(), "ann");
  EXPECT_EQ(found->identity.tenant.str(), "t");
  EXPECT_EQ(found->attributes.query, "userId=bob&clientId=c&plan=a%20b");
  EXPECT_THAT(page.client.received(), HasSubstr(R"("requestKey":"ssek_)"));
  EXPECT_EQ(request("GET", "/p/connect?ticket=" + text).status, 401);
  EXPECT_THAT(recorded(), ElementsAre(StartsWith("401 invalid-ticket: the ticket cannot be redeemed")));
  EXPECT_EQ(counted(R"(reason="invalid-ticket",service="s",status="401")"), 1);
}

TEST_F(ConnectRouteTest, AStreamOpenedWithoutATicketHasNoRequestKey) {
  Page page = take_over(request("GET", "/p/connect?userId=7"));
  EXPECT_EQ(page.client.received().find("requestKey"), std::string::npos);
}

TEST_F(ConnectRouteTest, ARefusedRequestAndAHeadLeaveTheTicket) {
  application_ = &deciding_;
  const std::string target = "/p/connect?ticket=" + ticket("ann");
  EXPECT_EQ(request("HEAD", target).status, 200);
  EXPECT_EQ(request("GET", target + "&keepaliveTime=x").status, 400);
  deciding_.refuse = true;
  EXPECT_EQ(request("GET", target).status, 402);
  EXPECT_EQ(request("HEAD", target).status, 402);
  deciding_.refuse = false;
  draining_ = true;
  EXPECT_EQ(request("GET", target).status, 503);
  draining_ = false;
  for (const auto& refused : activity_log_.last())
    EXPECT_THAT(refused->connection->attributes.query, ::testing::Not(HasSubstr("sset_")));
  const Page page = take_over(request("GET", target));
  EXPECT_EQ(request("HEAD", target).status, 401);
}

TEST_F(ConnectRouteTest, ATicketOfAnotherServiceIsRefusedAndLeft) {
  const std::string text = ticket("ann", "other");
  const Answer answer = request("GET", "/p/connect?ticket=" + text);
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.head, HasSubstr(R"(Bearer error="invalid_token", error_description="the ticket is for another)"));
  EXPECT_EQ(metrics_.snapshot().at(R"(sse_tickets_refused_total{reason="service"})"), 1);
  EXPECT_TRUE(tickets_.find(text));
}

TEST_F(ConnectRouteTest, AParameterTicketOfTheApplicationStays) {
  const Page page = take_over(request("GET", "/p/connect?userId=7&ticket=ST-1-abc"));
  const auto found = service().sender->hub().directory().describe(page.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity.user.str(), "7");
  EXPECT_EQ(found->attributes.query, "userId=7&ticket=ST-1-abc");
}

TEST_F(ConnectRouteTest, ATicketIsRemovedHoweverItIsWritten) {
  std::string escaped;
  for (const char c : ticket("ann")) append_upper_hex(escaped += '%', static_cast<unsigned char>(c));
  const Page page = take_over(request("GET", "/p/connect?%74icket=" + escaped + "&ticket=second"));
  const auto found = service().sender->hub().directory().describe(page.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity.user.str(), "ann");
  EXPECT_EQ(found->attributes.query, "ticket=second");
}

TEST_F(ConnectRouteTest, AnswersWithTheRefusalOfTheApplication) {
  application_ = &deciding_;
  deciding_.refuse = true;
  const Answer answer = request("GET", "/p/connect");
  EXPECT_EQ(answer.status, 402);
  EXPECT_THAT(answer.body, HasSubstr("pay first"));
  EXPECT_FALSE(answer.hand_over);
}

class ConnectRouteChannelsTest : public ConnectRouteTest {
 protected:
  // The channel that the stream of a GET is in, and what it was refused: `channel reason`.
  std::pair<std::string, std::string> joined(const std::string& query) {
    const Answer answer = request("GET", "/p/connect?" + query);
    EXPECT_EQ(answer.status, 200) << "a refused channel ends no stream";
    Page page = take_over(answer);
    EXPECT_TRUE(page.client.receive_until("\n\n"));
    std::string refused;
    const std::string all = page.client.received();
    if (const std::size_t at = all.find("\"refused\":"); at != std::string::npos) {
      EXPECT_TRUE(page.client.receive_until("event:sse-channel-refused\ndata:{"));
      refused = all.substr(at, all.find('}', at) - at);
    }
    const auto found = service().sender->hub().directory().describe(page.id);
    pages_.push_back(std::move(page));
    return {found ? found->channel.str() : "closed", refused};
  }
  // Of the last stream.
  std::vector<std::string> channels() {
    std::vector<std::string> names;
    const auto found = service().sender->hub().directory().describe(pages_.back().id);
    if (!found) return {"closed"};
    for (const ChannelName& channel : found->channels) names.push_back(channel.str());
    return names;
  }
  double refused(const std::string& reason, const std::string& rule = "") {
    return metrics_
        .snapshot()["sse_channels_refused_total{reason=\"" + reason + "\",rule=\"" + rule + "\",service=\"s\"}"];
  }

  std::vector<Page> pages_;
};

TEST_F(ConnectRouteChannelsTest, AStreamOpensWithoutTheChannelThatNoRuleAllows) {
  access_.set_rules({"public.*=anyone", "user.{user}.*=self"});
  EXPECT_EQ(joined("userId=7&channel=public.a").first, "public.a");
  EXPECT_EQ(joined("userId=7&channel=user.7.inbox").first, "user.7.inbox");
  const auto [channel, why] = joined("userId=7&channel=user.8.inbox");
  EXPECT_EQ(channel, "");
  EXPECT_EQ(why, R"("refused":[{"channel":"user.8.inbox","reason":"no-rule")");
  EXPECT_EQ(refused("no-rule"), 1);
  EXPECT_EQ(joined("userId=7").second, "");
  // A probe refuses nobody anything.
  EXPECT_EQ(request("HEAD", "/p/connect?channel=private").status, 200);
  EXPECT_EQ(refused("no-rule"), 1);
}

TEST_F(ConnectRouteChannelsTest, TheApplicationDecidesWhatARuleLeavesToIt) {
  application_ = &deciding_;
  access_.set_rules({"team.*=hook", "public.*=anyone"});
  deciding_.right = ChannelRight::kAllowed;
  EXPECT_EQ(joined("channel=team.7").first, "team.7");
  EXPECT_EQ(deciding_.asked_about.front().right, ChannelRight::kApplication);
  deciding_.right = ChannelRight::kApplication;
  EXPECT_EQ(joined("channel=team.7").second, R"("refused":[{"channel":"team.7","reason":"application")");
  deciding_.right = ChannelRight::kRefused;
  EXPECT_EQ(joined("channel=team.7").first, "");
  EXPECT_EQ(refused("application", "team.*=hook"), 2);
  EXPECT_EQ(joined("channel=public.a").second, R"("refused":[{"channel":"public.a","reason":"application")");
  EXPECT_EQ(deciding_.asked_about.front().right, ChannelRight::kAllowed);
  EXPECT_EQ(deciding_.asked, 4) << "once a connect";
}

TEST_F(ConnectRouteChannelsTest, TheApplicationMayPutAStreamIntoAnyChannel) {
  application_ = &deciding_;
  access_.set_rules({"public.*=anyone"});
  EXPECT_EQ(joined("channel=private"), (std::pair<std::string, std::string>("of the application", "")));
  deciding_.right = ChannelRight::kAllowed;
  EXPECT_EQ(joined("channel=private").first, "private");
  EXPECT_EQ(deciding_.asked_about.front().right, ChannelRight::kRefused);
}

TEST_F(ConnectRouteChannelsTest, AStreamJoinsThoseOfSeveralChannelsThatItMay) {
  application_ = &deciding_;
  access_.set_rules({"team.*=hook", "public.*=anyone"});
  deciding_.right = ChannelRight::kRefused;
  EXPECT_EQ(joined("channel=team.7&channel=public.a").first, "");
  EXPECT_EQ(refused("application", "team.*=hook"), 1);
  EXPECT_EQ(refused("application", "public.*=anyone"), 1);
  deciding_.right = ChannelRight::kAllowed;
  deciding_.join = {ChannelName("given"), ChannelName("public.a")};
  EXPECT_EQ(joined("channel=public.a&channel=team.7&channel=public.a").second, "");
  EXPECT_THAT(channels(), ElementsAre("public.a", "team.7", "given"));
  EXPECT_EQ(deciding_.asked, 2) << "once a connect, for all names";
  EXPECT_EQ(deciding_.asked_about.size(), 2U);
  // Without the first one that was asked for, the others stay as they are.
  deciding_.right.reset();
  deciding_.join.clear();
  access_.set_rules({"public.*=anyone"});
  EXPECT_EQ(joined("channel=private&channel=public.a&channel=secret").second,
            R"("refused":[{"channel":"secret","reason":"no-rule")");
  EXPECT_THAT(channels(), ElementsAre("of the application", "public.a"));
}

TEST_F(ConnectRouteChannelsTest, TheApplicationCannotPutAStreamIntoMoreThan100) {
  application_ = &deciding_;
  deciding_.right = ChannelRight::kAllowed;
  for (int i = 0; i < 100; ++i) deciding_.join.emplace_back("c" + std::to_string(i));
  EXPECT_EQ(joined("").first, "c0");
  EXPECT_EQ(channels().size(), 100U);
  EXPECT_EQ(request("GET", "/p/connect?channel=one").status, 429);
}

TEST_F(ConnectRouteChannelsTest, ARefusedChannelIsNoWayToItsHistoryOrPendingMessages) {
  access_.set_rules({"public.*=anyone"});
  delivery::SendRequest message;
  message.target = event::Target::channel(ChannelName("board"));
  message.data = "secret";
  message.qos = true;
  EXPECT_EQ(service().sender->send(message).pending, 1U);
  EXPECT_EQ(joined("userId=7&channel=board&lastEventId=1").first, "");
  message.target = event::Target::all();
  message.data = "all";
  message.qos = false;
  service().sender->send(message);
  EXPECT_TRUE(pages_.back().client.receive_until("data:all"));
  EXPECT_THAT(pages_.back().client.received(), Not(HasSubstr("secret")));
  EXPECT_EQ(repository_.size(), 1U) << "the message waits for those who may read it";
}

}  // namespace
}  // namespace sse::pages
