// Channels that a stream joins later, and what it catches up with there: retained events after a position.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "delivery/sender.h"
#include "event/json.h"
#include "store/memory/memory_repository.h"
#include "support/eventually.h"
#include "support/page.h"

namespace sse::delivery {
namespace {

using event::Json;
using event::Target;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReceivedEvent;

class ChannelCatchUpTest : public ::testing::Test {
 protected:
  ChannelCatchUpTest() {
    options_.hub.service = ServiceName("hr");
    options_.hub.client_max_connections = 0;
    options_.hub.ack_timeout = milliseconds(0);
    options_.history.events = 100'000;
  }
  void TearDown() override {
    if (!sender_) return;
    sender_->stop();
    for (const auto& loop : loops_) loop->stop();
    sender_.reset();
  }

  Sender& sender() {
    if (sender_) return *sender_;
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    sender_ = std::make_unique<Sender>(options_, loops_, ids_, metrics_, repository_);
    for (const auto& loop : loops_) loop->start();
    return *sender_;
  }
  std::uint64_t send(Target target, const std::string& data, bool qos = false) {
    return sender().send({std::move(target), "news", data, qos, milliseconds(0)}).id;
  }
  std::uint64_t send_to(const std::string& channel, const std::string& data, bool qos = false) {
    return send(Target::channel(ChannelName(channel)), data, qos);
  }
  /// To all clients but one, or to the streams of one tenant; empty: to all.
  void send_filtered(const std::string& data, const std::string& except, const std::string& tenant = "") {
    Target target = Target::channel(ChannelName("a"));
    target.of_tenant = tenant;
    sender().send({.target = std::move(target), .event = "news", .data = data, .except = except});
  }
  testing::Page open(bool marks = true, int buffer = 0, const std::string& tenant = "") {
    return testing::open_page(sender(), {.user = "ann",
                                         .tenant = tenant,
                                         .listeners = {"news"},
                                         .query = "clientId=c&clientInstanceId=i",
                                         .send_buffer = buffer,
                                         .receive_buffer = buffer,
                                         .confirms = true,
                                         .channel_marks = marks});
  }
  hub::Subscription subscribe(const testing::Page& page, const std::string& channel,
                              std::optional<std::uint64_t> since) {
    hub::JoinedChannel joined{ChannelName(channel)};
    if (since) joined.after = MessageId(*since);
    const auto info = sender().hub().directory().describe(page.id);
    const auto result = sender().hub().subscribe(page.id, info->identity, {joined}, 0);
    return result ? result->front() : hub::Subscription{};
  }
  /// All that comes up to an event to the user.
  std::vector<ReceivedEvent> events_until(testing::Page& page, const std::string& data) {
    send(Target::user(UserId("ann")), data);
    return page.events_until(data);
  }
  /// Each with the channel and the data of its mark in front: `a@5 data`, `a end` for the end of a catch-up.
  std::vector<std::string> story(const std::vector<ReceivedEvent>& events) {
    std::vector<std::string> lines;
    Json mark = Json::object();
    for (const ReceivedEvent& e : events) {
      if (e.type == "sse-channel") {
        mark = Json::parse(e.data);
        if (mark.contains("caughtUp")) lines.push_back(mark["channel"].get<std::string>() + " end");
        continue;
      }
      std::string line;
      if (mark.contains("event") && mark["event"].get<std::string>() == e.type)
        line = mark["channel"].get<std::string>() + (mark.contains("position") ? "+ " : " ");
      lines.push_back(line + (e.type == "resync" ? "resync" : e.data));
      mark = Json::object();
    }
    return lines;
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name + "{service=\"hr\"}"]; }

  SenderOptions options_;
  IdGenerator ids_{1};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Sender> sender_;
};

TEST_F(ChannelCatchUpTest, GivesWhatWasMissedInTheChannelBeforeWhatIsLive) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  send_to("a", "missed 1");
  send_to("b", "of another channel");
  sender().send({{event::TargetKind::kChannel, {"b", "a"}, false}, "news", "missed 2", false, milliseconds(0)});
  const hub::Subscription result = subscribe(page, "a", seen);
  EXPECT_TRUE(result.in && result.fresh);
  send_to("a", "live");
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a+ missed 1", "a+ missed 2", "a end", "a live", "last"));
  EXPECT_EQ(metric("sse_resumed_events_total"), 2);
  EXPECT_EQ(metric("sse_resyncs_total"), 0);
  EXPECT_EQ(metric("sse_resumed_total"), 0) << "no stream was opened";
}

TEST_F(ChannelCatchUpTest, NeverMovesWhatTheStreamResumesFrom) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  const std::uint64_t missed = send_to("a", "missed");
  const std::uint64_t mine = send(Target::user(UserId("ann")), "mine");
  ASSERT_TRUE(page.client.receive_until("data:mine\n\n"));
  const std::size_t before = page.client.received().size();
  subscribe(page, "a", seen);
  const std::uint64_t last = send(Target::user(UserId("ann")), "last");
  ASSERT_TRUE(page.client.receive_until("data:last\n\n"));
  const std::string behind = page.client.received().substr(before);
  const std::string caught_up = behind.substr(0, behind.find("id:" + std::to_string(last) + "\n"));
  EXPECT_THAT(caught_up, Not(HasSubstr("\nid:")));
  EXPECT_FALSE(caught_up.starts_with("id:"));
  const std::string id = std::to_string(missed);
  EXPECT_THAT(caught_up, HasSubstr("event:sse-channel\ndata:{\"channel\":\"a\",\"event\":\"news\",\"id\":\"" + id +
                                   "\",\"position\":\"" + id + "\"}\n\nevent:news\ndata:missed\n\n"));
  EXPECT_THAT(caught_up,
              HasSubstr("data:{\"channel\":\"a\",\"caughtUp\":true,\"position\":\"" + std::to_string(mine) + "\"}"));
}

TEST_F(ChannelCatchUpTest, GivesAMessageOnceWhetherItIsPendingOrRetained) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  const std::uint64_t first = send_to("a", "pending 1", true);
  send_to("a", "between");
  const std::uint64_t second = send_to("a", "pending 2", true);
  subscribe(page, "a", seen);
  EXPECT_THAT(story(events_until(page, "last")),
              ElementsAre("a pending 1", "a+ between", "a pending 2", "a end", "last"));
  EXPECT_EQ(sender().hub().acknowledge(page.id, {UserId("ann")}, {MessageId(first), MessageId(second)}), 2U);
  EXPECT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
}

TEST_F(ChannelCatchUpTest, GivesMessagesThatWaitLongerThanTheHistoryReaches) {
  options_.history.events = 1;
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "pending", true);
  send_to("a", "forgotten");
  send_to("a", "retained");
  subscribe(page, "a", seen);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a resync", "a pending", "a+ retained", "a end", "last"));
}

TEST_F(ChannelCatchUpTest, TellsWhatIsGoneInThisChannelAlone) {
  options_.history.events = 2;
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  send_to("a", "gone");
  const std::uint64_t oldest = send_to("a", "retained 1");
  send_to("a", "retained 2");
  subscribe(page, "a", seen);
  const std::vector<ReceivedEvent> events = events_until(page, "last");
  EXPECT_THAT(story(events), ElementsAre("a resync", "a+ retained 1", "a+ retained 2", "a end", "last"));
  ASSERT_EQ(events.at(1).type, "resync");
  EXPECT_EQ(Json::parse(events.at(1).data),
            Json({{"requested", std::to_string(seen)}, {"oldest", std::to_string(oldest)}, {"missed", 1}}));
  EXPECT_EQ(metric("sse_resyncs_total"), 1);
}

TEST_F(ChannelCatchUpTest, FromTheBeginningGivesAllThatIsRetained) {
  options_.history.events = 2;
  testing::Page page = open();
  for (const char* data : {"1", "2", "3"}) send_to("a", data);
  subscribe(page, "a", 0);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a+ 2", "a+ 3", "a end", "last"));
}

TEST_F(ChannelCatchUpTest, TellsThatAPositionIsNoneOfThisServer) {
  testing::Page page = open();
  send_to("a", "old");
  subscribe(page, "a", 1);
  subscribe(page, "b", ids_.next() + (std::uint64_t{1} << 40));
  EXPECT_THAT(story(events_until(page, "last")),
              ElementsAre("a resync", "a+ old", "a end", "b resync", "b end", "last"));
}

TEST_F(ChannelCatchUpTest, TellsThatThereIsNoHistory) {
  options_.history.events = 0;
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  send_to("a", "missed");
  send_to("a", "pending", true);
  subscribe(page, "a", seen);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a resync", "a pending", "a end", "last"));
}

TEST_F(ChannelCatchUpTest, HasNothingForAStreamThatIsInTheChannelAlready) {
  testing::Page page = open();
  subscribe(page, "a", std::nullopt);
  const std::uint64_t first = send_to("a", "live");
  const hub::Subscription again = subscribe(page, "a", first - 1);
  EXPECT_TRUE(again.in);
  EXPECT_FALSE(again.fresh);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a live", "last"));
}

TEST_F(ChannelCatchUpTest, HasNoPositionsForAStreamWithoutMarks) {
  testing::Page page = open(false);
  const std::uint64_t seen = send_to("a", "seen");
  send_to("a", "missed");
  EXPECT_TRUE(subscribe(page, "a", seen).in);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("last"));
}

TEST_F(ChannelCatchUpTest, GivesEventsForListenersOnlyToThese) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  for (const char* event : {"news", "other"}) {
    Target listening = Target::channel(ChannelName("a"));
    listening.listening = true;
    sender().send({listening, event, std::string("for listeners of ") + event, false, milliseconds(0)});
  }
  subscribe(page, "a", seen);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a+ for listeners of news", "a end", "last"));
}

TEST_F(ChannelCatchUpTest, GivesNothingThatLeavesOutItsClient) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  send_filtered("for all but its client", "c");
  send_filtered("for all but its page", "i");
  send_filtered("for all but another one", "d");
  subscribe(page, "a", seen);
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a+ for all but another one", "a end", "last"));
}

TEST_F(ChannelCatchUpTest, GivesWhatIsForOneTenantOnlyToItsStreams) {
  testing::Page of_x = open(true, 0, "x");
  testing::Page of_none = open();
  const std::uint64_t seen = send_to("a", "seen");
  for (const char* tenant : {"x", "y", ""}) send_filtered(std::string("for tenant ") + tenant, "", tenant);
  subscribe(of_x, "a", seen);
  subscribe(of_none, "a", seen);
  const std::vector<ReceivedEvent> events = events_until(of_x, "last");
  EXPECT_THAT(story(events), ElementsAre("a+ for tenant x", "a+ for tenant ", "a end", "last"));
  EXPECT_THAT(story(of_none.events_until("last")), ElementsAre("a+ for tenant ", "a end", "last"));
}

// A page of retained events of which the stream gets none is not the last one.
TEST_F(ChannelCatchUpTest, GivesWhatComesAfterManyEventsThatAreNotForIt) {
  testing::Page page = open();
  const std::uint64_t seen = send_to("a", "seen");
  for (int i = 0; i < 1000; ++i) send_filtered("not for it", "c");
  send_to("a", "missed");
  subscribe(page, "a", seen);
  send_to("a", "live");
  EXPECT_THAT(story(events_until(page, "last")), ElementsAre("a+ missed", "a end", "a live", "last"));
}

TEST_F(ChannelCatchUpTest, SeveralChannelsCatchUpOneAfterTheOther) {
  testing::Page page = open();
  std::vector<hub::JoinedChannel> joined;
  std::vector<std::string> expected;
  for (int c = 0; c < 20; ++c) {
    const std::string channel = "c" + std::to_string(c);
    const std::uint64_t seen = send_to(channel, "seen");
    send_to(channel, "missed in " + channel);
    joined.push_back({ChannelName(channel), hub::ChannelSource::kLasting, MessageId(seen)});
    expected.push_back(channel + "+ missed in " + channel);
    expected.push_back(channel + " end");
  }
  send_to("plain", "pending", true);
  joined.push_back({ChannelName("plain")});
  ASSERT_TRUE(sender().hub().subscribe(page.id, {UserId("ann")}, joined, 0));
  expected.insert(expected.begin(), "plain pending");
  expected.emplace_back("last");
  EXPECT_EQ(story(events_until(page, "last")), expected);
}

// The stream takes page after page; none is read before the one before has gone into it.
TEST_F(ChannelCatchUpTest, GoesAtThePaceOfTheClient) {
  options_.hub.stream.max_backlog = 32 * 1024;
  testing::Page page = open(true, 8 * 1024);
  const std::uint64_t seen = send_to("a", "seen");
  const std::string big(10'000, 'x');
  std::vector<std::string> expected;
  for (int i = 0; i < 700; ++i) {
    send_to("a", std::to_string(i) + big);
    expected.push_back("a+ " + std::to_string(i) + big);
  }
  subscribe(page, "a", seen);
  send_to("a", "live");
  expected.insert(expected.end(), {"a end", "a live", "last"});
  EXPECT_EQ(story(events_until(page, "last")), expected);
}

TEST_F(ChannelCatchUpTest, EndsWhenTheStreamLeavesTheChannel) {
  options_.hub.stream.max_backlog = 32 * 1024;
  testing::Page page = open(true, 8 * 1024);
  const std::uint64_t seen = send_to("a", "seen");
  const std::string big(10'000, 'x');
  for (int i = 0; i < 700; ++i) send_to("a", std::to_string(i) + big);
  subscribe(page, "a", seen);
  ASSERT_TRUE(sender().hub().unsubscribe(page.id, {UserId("ann")}, {ChannelName("a")}));
  send_to("a", "behind");
  const std::vector<std::string> some = story(events_until(page, "last"));
  EXPECT_LT(some.size(), 500U);
  EXPECT_THAT(some, Not(::testing::Contains("a end")));
  EXPECT_THAT(some, Not(::testing::Contains("a behind")));
  // It joins again, while the first catch-up may still be under way.
  subscribe(page, "a", seen);
  sender().hub().unsubscribe(page.id, {UserId("ann")}, {ChannelName("a")});
  const std::uint64_t recent = send_to("a", "recent");
  subscribe(page, "a", recent - 1);
  const std::vector<std::string> all = story(events_until(page, "very last"));
  EXPECT_THAT(std::vector<std::string>(all.end() - 3, all.end()), ElementsAre("a+ recent", "a end", "very last"));
  EXPECT_EQ(std::count(all.begin(), all.end(), "a end"), 1);
}

TEST_F(ChannelCatchUpTest, JoiningAndLeavingAThousandTimesCostsOthersNothing) {
  testing::Page page = open();
  testing::Page quiet = testing::open_page(sender(), {.user = "bob", .channel = "a", .listeners = {"news"}});
  const std::uint64_t seen = send_to("a", "seen");
  for (int i = 0; i < 20; ++i) send_to("a", "retained " + std::to_string(i));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(subscribe(page, "a", i % 2 == 0 ? std::optional(seen) : std::nullopt).fresh);
    if (i % 100 == 0) send_to("a", "live");
    sender().hub().unsubscribe(page.id, {UserId("ann")}, {ChannelName("a")});
  }
  send_to("a", "to bob alone");
  EXPECT_EQ(quiet.data_until("to bob alone").size(), 32U);
  EXPECT_TRUE(subscribe(page, "a", std::nullopt).fresh);
  send_to("a", "again");
  const std::vector<std::string> all = story(events_until(page, "last"));
  EXPECT_THAT(std::vector<std::string>(all.end() - 2, all.end()), ElementsAre("a again", "last"));
  EXPECT_THAT(all, Not(::testing::Contains("a to bob alone")));
}

// Senders do not stop while a stream catches up.
TEST_F(ChannelCatchUpTest, LosesAndDoublesNothingWhereLiveEventsBegin) {
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    testing::Page page = open();
    const std::uint64_t seen = send_to("a", "seen");
    std::vector<std::string> sent;
    for (int i = 0; i < 40; ++i) sent.push_back(std::to_string(round) + "/" + std::to_string(i));
    std::thread other([&] {
      for (const std::string& data : sent) send_to("a", data);
    });
    subscribe(page, "a", seen);
    other.join();
    std::vector<std::string> got;
    for (const ReceivedEvent& e : events_until(page, "last")) {
      if (e.type == "news" && e.data != "last") got.push_back(e.data);
    }
    EXPECT_EQ(got, sent);
  }
}

}  // namespace
}  // namespace sse::delivery
