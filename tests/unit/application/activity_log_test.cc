#include "application/activity_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace sse::application {
namespace {

using event::Json;
using ::testing::ElementsAre;
using ::testing::SizeIs;

const ServiceName kService("s");

hub::ConnectionInfo connection(std::uint64_t id, const std::string& user = "u") {
  hub::ConnectionInfo info;
  info.id = ConnectionId(id);
  info.identity.user = UserId(user);
  info.created = wall_now() - std::chrono::seconds(2);
  return info;
}

class Collector final : public ActivityListener {
 public:
  void offer(const ActivityEventRef& activity) override { all.push_back(activity); }
  bool wants_sends() const override { return sends; }
  std::vector<ActivityEventRef> all;
  bool sends = false;
};

std::pair<std::vector<delivery::SendRequest>, std::vector<delivery::SendOutcome>> sends(std::size_t n) {
  std::vector<delivery::SendRequest> requests(n, {event::Target::user(UserId("u")), "news", "secret text"});
  std::vector<delivery::SendOutcome> outcomes(n);
  for (std::size_t i = 0; i < n; ++i) outcomes[i].result.id = i + 1;
  return {requests, outcomes};
}

TEST(ActivityLog, TellsEverySinkAndRemembersTheLast) {
  ActivityLog activity_log;
  Collector one;
  Collector two;
  activity_log.add_listener(one);
  activity_log.add_listener(two);
  for (std::uint64_t i = 1; i <= 300; ++i) activity_log.connected(kService, connection(i));
  EXPECT_THAT(one.all, SizeIs(300));
  EXPECT_THAT(two.all, SizeIs(300));
  const auto last = activity_log.last();
  ASSERT_THAT(last, SizeIs(256));
  EXPECT_EQ(last.front()->connection->id, ConnectionId(45));
  EXPECT_EQ(last.back()->connection->id, ConnectionId(300));
}

TEST(ActivityLog, AreBoundedInBytesWhateverPagesSayOfThemselves) {
  ActivityLog activity_log;
  Collector sink;
  activity_log.add_listener(sink);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    hub::ConnectionInfo info = connection(i);
    info.attributes.query = std::string(10'000, 'q');
    info.listeners.assign(20, std::string(256, 'l'));
    activity_log.connected(kService, std::move(info));
  }
  EXPECT_GT(sink.all.front()->bytes, 15'000U);
  EXPECT_LT(activity_log.last().size(), 40U);
  EXPECT_GT(activity_log.last().size(), 20U);
  EXPECT_EQ(activity_log.last().back()->connection->id, ConnectionId(100));
}

// Every connect on every loop passes here.
TEST(ActivityLog, AreShownInOrderWhateverThreadTheyComeFrom) {
  ActivityLog activity_log;
  std::vector<std::thread> loops;
  for (std::uint64_t loop = 0; loop < 4; ++loop) {
    loops.emplace_back([&activity_log, loop] {
      for (std::uint64_t i = 1; i <= 50; ++i) activity_log.connected(kService, connection(100 * loop + i));
    });
  }
  for (std::thread& loop : loops) loop.join();
  const auto last = activity_log.last();
  ASSERT_THAT(last, SizeIs(200));
  for (std::size_t i = 0; i < last.size(); ++i) EXPECT_EQ(last[i]->sequence, i + 1);
  EXPECT_EQ(activity_log.sequence(), 200U);
}

DeliveryReport report_of(std::uint64_t id) {
  DeliveryReport report;
  report.outcome = DeliveryReport::Outcome::kDead;
  report.service = kService;
  report.recipient = {event::TargetKind::kUser, "u"};
  report.id = MessageId(id);
  report.event = "news";
  report.key = "order-7";
  report.attempts = 2;
  return report;
}

TEST(ActivityLog, ShowsWhatBecameOfAMessage) {
  ActivityLog activity_log;
  activity_log.connected(kService, connection(1));
  activity_log.reported(std::vector<DeliveryReport>(1000, report_of(5)));
  const auto last = activity_log.last();
  ASSERT_THAT(last, SizeIs(257));
  EXPECT_EQ(last.front()->type, ActivityEvent::Type::kConnect);
  const Json shown = to_json(*last.back());
  EXPECT_EQ(shown.value("type", ""), "dead");
  EXPECT_EQ(shown.value("id", ""), "5");
  EXPECT_EQ(shown.value("kind", ""), "user");
  EXPECT_EQ(shown.value("recipient", ""), "u");
  EXPECT_EQ(shown.value("key", ""), "order-7");
  EXPECT_EQ(shown.value("attempts", 0), 2);
  EXPECT_FALSE(shown.contains("originalId"));
  EXPECT_TRUE(concerns(*last.back(), UserId("u")));
  EXPECT_FALSE(concerns(*last.back(), UserId("v")));
}

TEST(ActivityLog, ResumesBehindACursorWithoutAGap) {
  ActivityLog activity_log;
  for (std::uint64_t i = 1; i <= 5; ++i) activity_log.connected(kService, connection(i));
  const auto resumed = activity_log.since(activity_log.cursor_of(3), {});
  ASSERT_THAT(resumed.events, SizeIs(2));
  EXPECT_EQ(resumed.events[0]->sequence, 4U);
  EXPECT_FALSE(resumed.gap);
  EXPECT_THAT(activity_log.since(activity_log.cursor_of(5), {}).events, SizeIs(0));
}

TEST(ActivityLog, TellsHowManyEventsBehindACursorItNoLongerHas) {
  ActivityLog activity_log;
  for (std::uint64_t i = 1; i <= 300; ++i) activity_log.connected(kService, connection(i));
  const auto resumed = activity_log.since(activity_log.cursor_of(20), {});
  EXPECT_TRUE(resumed.gap);
  EXPECT_FALSE(resumed.restarted);
  EXPECT_EQ(resumed.lost, 24U);
  EXPECT_FALSE(activity_log.since(activity_log.cursor_of(44), {}).gap);
  EXPECT_FALSE(activity_log.since(activity_log.cursor_of(20), {ActivityEvent::Type::kSend}).gap)
      << "none of these is lost";
}

TEST(ActivityLog, TellsAGapWhereABulkOfSendsWasNotStoredAtAll) {
  ActivityLog activity_log;
  activity_log.connected(kService, connection(1));
  const std::string cursor = activity_log.cursor_of(1);
  EXPECT_FALSE(activity_log.since(cursor, {}).gap);
  const auto [requests, outcomes] = sends(1000);
  activity_log.sent(kService, requests, outcomes);
  EXPECT_TRUE(activity_log.since(cursor, {}).gap);
  EXPECT_FALSE(activity_log.since(cursor, {}).lost) << "not counted";
  EXPECT_FALSE(activity_log.since(activity_log.cursor_of(activity_log.sequence()), {}).gap);
}

TEST(ActivityLog, KnowsTheCursorsOfThisRunAlone) {
  ActivityLog activity_log;
  ActivityLog other;
  activity_log.connected(kService, connection(1));
  other.connected(kService, connection(1));
  EXPECT_TRUE(activity_log.since(other.cursor_of(1), {}).restarted);
  EXPECT_TRUE(activity_log.since(activity_log.cursor_of(2), {}).restarted) << "an event that there was not";
  for (const char* wrong : {"", "-1", "7", "a-", "a-x", "a--1"})
    EXPECT_THROW(activity_log.since(wrong, {}), Error) << wrong;
}

TEST(ActivityLog, KeepsSendsFromPushingOutTheRest) {
  ActivityLog activity_log;
  activity_log.connected(kService, connection(1));
  const auto [requests, outcomes] = sends(1000);
  activity_log.sent(kService, requests, outcomes);
  const auto last = activity_log.last();
  ASSERT_THAT(last, SizeIs(257));
  EXPECT_EQ(last.front()->type, ActivityEvent::Type::kConnect);
  EXPECT_EQ(last.back()->message, 1000U);
}

TEST(ActivityLog, KeepsRefusalsFromPushingOutTheRest) {
  ActivityLog activity_log;
  activity_log.connected(kService, connection(1));
  for (int i = 0; i < 1000; ++i) activity_log.refused(kService, {}, 401, "unauthenticated", "log in first");
  const auto last = activity_log.last();
  ASSERT_THAT(last, SizeIs(257));
  EXPECT_EQ(last.front()->type, ActivityEvent::Type::kConnect);
  const event::Json shown = to_json(*last.back());
  EXPECT_EQ(shown.value("type", ""), "refused");
  EXPECT_EQ(shown.value("status", 0), 401);
  EXPECT_EQ(shown.value("reason", ""), "unauthenticated");
  EXPECT_EQ(shown.value("note", ""), "log in first");
  EXPECT_FALSE(shown.contains("connection"));
}

TEST(ActivityLog, PassesEverySendOnOnlyToThoseWhoLook) {
  ActivityLog activity_log;
  Collector sink;
  activity_log.add_listener(sink);
  const auto [requests, outcomes] = sends(1000);
  activity_log.sent(kService, requests, outcomes);
  EXPECT_THAT(sink.all, SizeIs(256));
  sink.sends = true;
  activity_log.sent(kService, requests, outcomes);
  EXPECT_THAT(sink.all, SizeIs(1256));
}

TEST(ActivityLog, LeavesOutSendsThatWereRefused) {
  ActivityLog activity_log;
  auto [requests, outcomes] = sends(2);
  outcomes[0].refusal = {ErrorCode::kLimitExceeded, "full"};
  activity_log.sent(kService, requests, outcomes);
  ASSERT_THAT(activity_log.last(), SizeIs(1));
  EXPECT_EQ(activity_log.last().front()->message, 2U);
}

TEST(ActivityEvent, ShowsNeitherDataNorTokens) {
  ActivityLog activity_log;
  auto [requests, outcomes] = sends(1);
  requests[0].target = {event::TargetKind::kToken, std::vector<std::string>(1, "token-of-somebody"), false};
  activity_log.sent(kService, requests, outcomes);
  const std::string shown = to_json(*activity_log.last().front()).dump();
  EXPECT_EQ(shown.find("secret text"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("token-of-somebody"), std::string::npos) << shown;
}

TEST(ActivityEvent, ShowsTheTargetsOfAUnionAndConcernsTheUsersInThem) {
  ActivityLog activity_log;
  auto [requests, outcomes] = sends(1);
  requests[0].target = event::Target::channel(ChannelName("news"), TenantId("acme"));
  requests[0].also = {event::Target::member(UserId("ann"), TenantId("acme")), {event::TargetKind::kTenant, {}, false}};
  for (int i = 0; i < 5000; ++i) requests[0].also[1].names.push_back(std::to_string(i));
  activity_log.sent(kService, requests, outcomes);
  const Json shown = to_json(*activity_log.last().front());
  EXPECT_EQ(shown["kind"], "channel");
  EXPECT_EQ(shown["tenant"], "acme");
  EXPECT_EQ(shown["recipients"], 5002);
  ASSERT_THAT(shown["also"], SizeIs(2));
  EXPECT_EQ(shown["also"][0].dump(), R"({"kind":"user","names":["ann"],"tenant":"acme"})");
  EXPECT_THAT(shown["also"][1]["names"], SizeIs(ActivityEvent::kMaxNames - 2));
  EXPECT_TRUE(concerns(*activity_log.last().front(), UserId("ann")));
  EXPECT_FALSE(concerns(*activity_log.last().front(), UserId("0")));
}

TEST(ActivityEvent, RemembersOnlySomeOfManyNames) {
  ActivityLog activity_log;
  auto [requests, outcomes] = sends(1);
  requests[0].target.names.clear();
  for (int i = 0; i < 5000; ++i) requests[0].target.names.push_back(std::to_string(i));
  activity_log.sent(kService, requests, outcomes);
  const Json shown = to_json(*activity_log.last().front());
  EXPECT_EQ(shown["recipients"], 5000);
  EXPECT_THAT(shown["names"], SizeIs(ActivityEvent::kMaxNames));
}

TEST(ActivityEvent, SaysHowAStreamEnded) {
  ActivityLog activity_log;
  activity_log.disconnected(kService, connection(7), net::CloseReason::kSlowConsumer, "so\nlong");
  const Json shown = to_json(*activity_log.last().front());
  EXPECT_EQ(shown["type"], "disconnect");
  EXPECT_EQ(shown["reason"], "slow-consumer");
  EXPECT_EQ(shown["note"], "so\\x0Along");
  EXPECT_GE(shown["durationMillis"], 2000);
  EXPECT_EQ(shown["connection"], "7");
}

TEST(ActivityEvent, ConcernsItsUser) {
  ActivityLog activity_log;
  activity_log.listening_changed(kService, connection(1, "ann"), {"a"}, true);
  const auto [requests, outcomes] = sends(1);
  activity_log.sent(kService, requests, outcomes);
  const auto last = activity_log.last();
  EXPECT_TRUE(concerns(*last[0], UserId("ann")));
  EXPECT_FALSE(concerns(*last[0], UserId("u")));
  EXPECT_TRUE(concerns(*last[1], UserId("u")));
  EXPECT_EQ(to_json(*last[0])["added"], Json({"a"}));
}

TEST(ActivityEvent, NamesTheChannelThatIsOccupiedOrVacated) {
  ActivityLog activity_log;
  activity_log.channel_occupied(kService, "room", true);
  activity_log.channel_occupied(kService, "room", false);
  const auto last = activity_log.last();
  EXPECT_EQ(to_json(*last[0])["type"], "occupied");
  EXPECT_EQ(to_json(*last[0])["channel"], "room");
  EXPECT_EQ(to_json(*last[1])["type"], "vacated");
  EXPECT_FALSE(concerns(*last[0], UserId("room")));
}

TEST(ActivityEvent, NamesItsTypes) {
  for (const std::string name :
       {"connect", "disconnect", "listening", "message", "upload", "send", "refused", "occupied", "vacated"})
    EXPECT_EQ(type_name(type_from_name(name)), name);
  EXPECT_THROW(type_from_name("conect"), Error);
}

}  // namespace
}  // namespace sse::application
