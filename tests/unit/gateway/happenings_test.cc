#include "gateway/happenings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace sse::gateway {
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

class Collector final : public HappeningSink {
 public:
  void offer(const HappeningRef& happening) override { all.push_back(happening); }
  bool wants_sends() const override { return sends; }
  std::vector<HappeningRef> all;
  bool sends = false;
};

std::pair<std::vector<delivery::SendRequest>, std::vector<delivery::SendOutcome>> sends(std::size_t n) {
  std::vector<delivery::SendRequest> requests(n, {event::Target::user(UserId("u")), "news", "secret text"});
  std::vector<delivery::SendOutcome> outcomes(n);
  for (std::size_t i = 0; i < n; ++i) outcomes[i].result.id = i + 1;
  return {requests, outcomes};
}

TEST(Happenings, TellsEverySinkAndRemembersTheLast) {
  Happenings happenings;
  Collector one;
  Collector two;
  happenings.add_sink(one);
  happenings.add_sink(two);
  for (std::uint64_t i = 1; i <= 300; ++i) happenings.connected(kService, connection(i));
  EXPECT_THAT(one.all, SizeIs(300));
  EXPECT_THAT(two.all, SizeIs(300));
  const auto last = happenings.last();
  ASSERT_THAT(last, SizeIs(256));
  EXPECT_EQ(last.front()->connection->id, ConnectionId(45));
  EXPECT_EQ(last.back()->connection->id, ConnectionId(300));
}

TEST(Happenings, AreBoundedInBytesWhateverPagesSayOfThemselves) {
  Happenings happenings;
  Collector sink;
  happenings.add_sink(sink);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    hub::ConnectionInfo info = connection(i);
    info.attributes.query = std::string(10'000, 'q');
    info.listeners.assign(20, std::string(256, 'l'));
    happenings.connected(kService, std::move(info));
  }
  EXPECT_GT(sink.all.front()->bytes, 15'000U);
  EXPECT_LT(happenings.last().size(), 40U);
  EXPECT_GT(happenings.last().size(), 20U);
  EXPECT_EQ(happenings.last().back()->connection->id, ConnectionId(100));
}

// Every connect on every loop passes here.
TEST(Happenings, AreShownInOrderWhateverThreadTheyComeFrom) {
  Happenings happenings;
  std::vector<std::thread> loops;
  for (std::uint64_t loop = 0; loop < 4; ++loop) {
    loops.emplace_back([&happenings, loop] {
      for (std::uint64_t i = 1; i <= 50; ++i) happenings.connected(kService, connection(100 * loop + i));
    });
  }
  for (std::thread& loop : loops) loop.join();
  const auto last = happenings.last();
  ASSERT_THAT(last, SizeIs(200));
  for (std::size_t i = 0; i < last.size(); ++i) EXPECT_EQ(last[i]->sequence, i + 1);
  EXPECT_EQ(happenings.sequence(), 200U);
}

TEST(Happenings, KeepsSendsFromPushingOutTheRest) {
  Happenings happenings;
  happenings.connected(kService, connection(1));
  const auto [requests, outcomes] = sends(1000);
  happenings.sent(kService, requests, outcomes);
  const auto last = happenings.last();
  ASSERT_THAT(last, SizeIs(257));
  EXPECT_EQ(last.front()->type, Happening::Type::kConnect);
  EXPECT_EQ(last.back()->message, 1000U);
}

TEST(Happenings, PassesEverySendOnOnlyToThoseWhoLook) {
  Happenings happenings;
  Collector sink;
  happenings.add_sink(sink);
  const auto [requests, outcomes] = sends(1000);
  happenings.sent(kService, requests, outcomes);
  EXPECT_THAT(sink.all, SizeIs(256));
  sink.sends = true;
  happenings.sent(kService, requests, outcomes);
  EXPECT_THAT(sink.all, SizeIs(1256));
}

TEST(Happenings, LeavesOutSendsThatWereRefused) {
  Happenings happenings;
  auto [requests, outcomes] = sends(2);
  outcomes[0].refusal = {ErrorCode::kLimitExceeded, "full"};
  happenings.sent(kService, requests, outcomes);
  ASSERT_THAT(happenings.last(), SizeIs(1));
  EXPECT_EQ(happenings.last().front()->message, 2U);
}

TEST(Happening, ShowsNeitherDataNorTokens) {
  Happenings happenings;
  auto [requests, outcomes] = sends(1);
  requests[0].target = {event::TargetKind::kToken, std::vector<std::string>(1, "token-of-somebody"), false};
  happenings.sent(kService, requests, outcomes);
  const std::string shown = to_json(*happenings.last().front()).dump();
  EXPECT_EQ(shown.find("secret text"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("token-of-somebody"), std::string::npos) << shown;
}

TEST(Happening, RemembersOnlySomeOfManyNames) {
  Happenings happenings;
  auto [requests, outcomes] = sends(1);
  requests[0].target.names.clear();
  for (int i = 0; i < 5000; ++i) requests[0].target.names.push_back(std::to_string(i));
  happenings.sent(kService, requests, outcomes);
  const Json shown = to_json(*happenings.last().front());
  EXPECT_EQ(shown["recipients"], 5000);
  EXPECT_THAT(shown["names"], SizeIs(Happening::kMostNames));
}

TEST(Happening, SaysHowAStreamEnded) {
  Happenings happenings;
  happenings.disconnected(kService, connection(7), net::CloseReason::kSlowConsumer, "so\nlong");
  const Json shown = to_json(*happenings.last().front());
  EXPECT_EQ(shown["type"], "disconnect");
  EXPECT_EQ(shown["reason"], "slow-consumer");
  EXPECT_EQ(shown["note"], "so\\x0Along");
  EXPECT_GE(shown["durationMillis"], 2000);
  EXPECT_EQ(shown["connection"], "7");
}

TEST(Happening, ConcernsItsUser) {
  Happenings happenings;
  happenings.listening_changed(kService, connection(1, "ann"), {"a"}, true);
  const auto [requests, outcomes] = sends(1);
  happenings.sent(kService, requests, outcomes);
  const auto last = happenings.last();
  EXPECT_TRUE(concerns(*last[0], UserId("ann")));
  EXPECT_FALSE(concerns(*last[0], UserId("u")));
  EXPECT_TRUE(concerns(*last[1], UserId("u")));
  EXPECT_EQ(to_json(*last[0])["added"], Json({"a"}));
}

TEST(Happening, NamesItsTypes) {
  for (const std::string name : {"connect", "disconnect", "listening", "message", "upload", "send"})
    EXPECT_EQ(type_name(type_from_name(name)), name);
  EXPECT_THROW(type_from_name("conect"), Error);
}

}  // namespace
}  // namespace sse::gateway
