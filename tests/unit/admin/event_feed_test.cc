#include "admin/event_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "event/json.h"
#include "unit/net/loopback.h"

namespace sse::admin {
namespace {

using application::ActivityEvent;
using testing::Client;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A feed on its loop, and a log that it follows.
class EventFeedTest : public ::testing::Test {
 protected:
  EventFeedTest() {
    log_.add_listener(feed_);
    loop_.start();
  }
  ~EventFeedTest() override { loop_.stop(); }

  Client follow(ActivityFilter filter = {}, std::size_t last = 0, int send_buffer = 0, int receive_buffer = 0) {
    auto pair = testing::tcp_pair(send_buffer, receive_buffer);
    feed_.follow(std::move(pair.server), {"head\n", false}, {std::move(filter), last, {}, EventFeed::Format::kLines});
    return std::move(pair.client);
  }
  Client resume(const std::string& cursor, EventFeed::Format format = EventFeed::Format::kLines) {
    auto pair = testing::tcp_pair(0, 0);
    feed_.follow(std::move(pair.server), {"head\n", false}, {{}, 0, cursor, format});
    return std::move(pair.client);
  }
  void connected(const std::string& user, const std::string& service = "hr") {
    hub::ConnectionInfo info;
    info.id = ConnectionId(7);
    info.identity.user = UserId(user);
    log_.connected(ServiceName(service), std::move(info));
  }
  // The loop has done all that was posted before.
  void settle() {
    std::promise<void> done;
    loop_.post([&] { done.set_value(); });
    done.get_future().get();
  }
  // The users of the events that a follower has got, up to and with this one; "missed N" where events are missing.
  static std::vector<std::string> users_until(Client& client, const std::string& user) {
    EXPECT_TRUE(client.receive_until("\"user\":\"" + user + "\"") && client.receive_until("\n")) << client.received();
    std::vector<std::string> all;
    std::string text = client.received();
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      const std::string line = text.substr(0, end);
      text.erase(0, end + 1);
      if (line.empty() || line == "head") continue;
      const event::Json json = event::Json::parse(line);
      all.push_back(json["type"] == "missed" ? "missed " + json["count"].dump() : json["user"].get<std::string>());
      if (all.back() == user) break;
    }
    return all;
  }

  ManualClock clock_;
  observe::Registry metrics_;
  application::ActivityLog log_{clock_};
  net::EventLoop loop_{"admin", clock_};
  EventFeed feed_{loop_, log_, metrics_};
};

TEST_F(EventFeedTest, GivesPastEventsAndThenLiveOnes) {
  for (const char* user : {"1", "2", "3"}) connected(user);
  Client client = follow({}, 2);
  connected("4");
  EXPECT_THAT(users_until(client, "4"), ElementsAre("2", "3", "4"));
  EXPECT_EQ(client.received().substr(0, 5), "head\n");
}

TEST_F(EventFeedTest, GivesOnlyLiveOnesWhereNoPastOnesAreAskedFor) {
  connected("1");
  Client client = follow();
  settle();
  connected("2");
  EXPECT_THAT(users_until(client, "2"), ElementsAre("2"));
}

TEST_F(EventFeedTest, LeavesNoGapAndRepeatsNothingBetweenPastAndLive) {
  for (int round = 0; round < 20; ++round) {
    const std::string end = "end" + std::to_string(round);
    std::vector<std::string> expected;
    Client client{UniqueFd()};
    for (int i = 0; i < 20; ++i) {
      expected.push_back(std::to_string(round) + "." + std::to_string(i));
      connected(expected.back());
      if (i == 9) client = follow({}, 10);
    }
    expected.push_back(end);
    connected(end);
    EXPECT_EQ(users_until(client, end), expected);
  }
}

TEST_F(EventFeedTest, GivesAFollowerWhatItsFilterMatches) {
  Client of_user = follow({.user = UserId("2")});
  Client of_service = follow({.service = ServiceName("shop")});
  Client of_type = follow({.types = {ActivityEvent::Type::kDisconnect}});
  settle();
  connected("1");
  connected("2");
  connected("2", "shop");
  hub::ConnectionInfo info;
  info.identity.user = UserId("3");
  log_.disconnected(ServiceName("shop"), std::move(info), net::CloseReason::kClientClosed, "");
  EXPECT_THAT(users_until(of_service, "3"), ElementsAre("2", "3"));
  EXPECT_THAT(users_until(of_type, "3"), ElementsAre("3"));
  settle();
  while (of_user.receive_some(std::chrono::milliseconds(0))) {
  }
  EXPECT_THAT(of_user.received(), ::testing::Not(HasSubstr("\"3\"")));
  EXPECT_THAT(users_until(of_user, "2"), ElementsAre("2"));
}

// Its buffers are small, and it reads only when everything has been sent.
TEST_F(EventFeedTest, TellsASlowFollowerHowMuchItMissedAndCountsIt) {
  Client slow = follow({}, 0, 4096, 4096);
  Client quick = follow();
  settle();
  const std::string padding(1000, 'x');
  constexpr int kEvents = 3000;
  std::thread reader([&] { EXPECT_TRUE(quick.receive_until("\"user\":\"last\"")); });
  for (int i = 0; i < kEvents; ++i) {
    connected(std::to_string(i) + padding);
    if (i % 100 == 0) settle();
  }
  settle();
  const auto missed = [&] { return metrics_.snapshot()["sse_event_feed_missed_total"]; };
  EXPECT_GT(missed(), 0);
  EXPECT_TRUE(slow.receive_until("\"missed\""));
  connected("last");
  reader.join();
  EXPECT_TRUE(slow.receive_until("\"user\":\"last\"")) << "the follower goes on";
}

TEST_F(EventFeedTest, ResumesBehindTheCursorOfAnEvent) {
  for (const char* user : {"1", "2", "3"}) connected(user);
  Client client = resume(log_.cursor_of(1));
  connected("4");
  EXPECT_THAT(users_until(client, "4"), ElementsAre("2", "3", "4"));
  EXPECT_THAT(client.received(), HasSubstr("\"cursor\":\"" + log_.cursor_of(4) + "\""));
}

TEST_F(EventFeedTest, TellsAGapToAFollowerWhoseEventsAreNoLongerStored) {
  for (int i = 1; i <= 300; ++i) connected(std::to_string(i));
  Client client = resume(log_.cursor_of(10));
  ASSERT_TRUE(client.receive_until("\"user\":\"300\""));
  const std::string text = client.received();
  const std::size_t gap = text.find("{\"");
  const event::Json first = event::Json::parse(text.substr(gap, text.find('\n', gap) - gap));
  EXPECT_EQ(first.value("type", ""), "gap");
  EXPECT_EQ(first.value("reason", ""), "overrun");
  EXPECT_EQ(first.value("count", 0), 34) << "300 less 10 that it has had and 256 that are stored";
  EXPECT_EQ(first.value("cursor", ""), log_.cursor_of(44));
  EXPECT_THAT(text, HasSubstr("\"user\":\"45\""));
}

TEST_F(EventFeedTest, TellsAGapToAFollowerOfAnotherRun) {
  connected("1");
  Client client = resume("0a0b0c-1");
  connected("2");
  ASSERT_TRUE(client.receive_until("\"user\":\"2\""));
  EXPECT_THAT(client.received(), HasSubstr(R"("reason":"restarted")"));
  EXPECT_THAT(client.received(), HasSubstr("\"user\":\"1\""));
}

TEST_F(EventFeedTest, SendsAnEventStreamWithTheCursorAsId) {
  connected("1");
  Client client = resume(log_.cursor_of(0), EventFeed::Format::kEventStream);
  ASSERT_TRUE(client.receive_until("\n\n"));
  EXPECT_THAT(client.received(), HasSubstr("id: " + log_.cursor_of(1) + "\nevent: connect\ndata: {"));
}

TEST_F(EventFeedTest, WantsSendsOnlyForItsFollowersAndForgetsThoseThatLeave) {
  EXPECT_FALSE(feed_.wants_sends());
  {
    Client client = follow();
    EXPECT_TRUE(feed_.wants_sends());
    EXPECT_EQ(feed_.followers(), 1U);
    EXPECT_TRUE(client.receive_until("head\n"));
  }
  EXPECT_TRUE(testing::eventually([&] { return feed_.followers() == 0; }));
  EXPECT_FALSE(feed_.wants_sends());
}

TEST_F(EventFeedTest, SendsAnEmptyLineToFollowersThatHearNothing) {
  Client client = follow();
  settle();
  EXPECT_TRUE(client.receive_until("head\n"));
  client.take();
  clock_.advance(std::chrono::seconds(15));
  EXPECT_TRUE(client.receive_until("\n"));
  EXPECT_EQ(client.received(), "\n");
}

TEST_F(EventFeedTest, EndsTheStreamsOfAllFollowersWhenItStops) {
  Client one = follow();
  Client two = follow();
  settle();
  connected("last");
  feed_.stop();
  EXPECT_THAT(users_until(one, "last"), ElementsAre("last"));
  EXPECT_TRUE(one.receive_all());
  EXPECT_TRUE(two.receive_all());
  EXPECT_TRUE(testing::eventually([&] { return feed_.followers() == 0; }));
}

}  // namespace
}  // namespace sse::admin
