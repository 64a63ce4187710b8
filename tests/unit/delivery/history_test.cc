#include "delivery/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/step_count.h"
#include "event/event.h"
#include "event/json.h"
#include "support/event_parser.h"

namespace sse::delivery {
namespace {

using event::Target;
using event::TargetKind;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kSince = 1000;

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() { options_.events = 3; }

  History& history() {
    if (!history_) history_.emplace(options_, MessageId(kSince), metrics_, ServiceName("hr"));
    return *history_;
  }
  void keep(const Target& target, std::uint64_t position, std::uint64_t id = 0, std::string event = "news",
            std::string data = "x") {
    if (id == 0) id = position;
    history().keep(target, event, MessageId(position),
                   event::Frame::make(event::encode({event, std::move(data), std::to_string(id), {}})), now_);
  }
  struct Answer {
    std::vector<std::uint64_t> positions;
    std::optional<event::Json> resync;
    std::string resync_id;
    std::string cursor;
  };
  Answer resume(const std::string& last_event_id, const std::string& user = "1", std::set<std::string> listeners = {},
                std::uint64_t connection = 9000) {
    History::Client client;
    client.connection = ConnectionId(connection);
    client.last_event_id = last_event_id;
    client.topics = {{TargetKind::kUser, user}, {TargetKind::kChannel, "c"}, {TargetKind::kAll, ""}};
    client.listens = [&listeners](std::string_view event) { return listeners.contains(std::string(event)); };
    const hub::Resumption resumption = history().resume(client, now_);
    Answer answer;
    answer.cursor = resumption.cursor;
    for (const hub::RetainedEvent& event : resumption.missed) answer.positions.push_back(event.position.value());
    for (const testing::ReceivedEvent& e : testing::parse_events(resumption.notice)) {
      EXPECT_EQ(e.type, "resync");
      answer.resync = event::Json::parse(e.data);
      answer.resync_id = e.id;
    }
    return answer;
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name]; }

  HistoryOptions options_;
  observe::Registry metrics_;
  SteadyTime now_ = steady_now();
  std::optional<History> history_;
};

Target user(const std::string& id) {
  return Target::user(UserId(id));
}

TEST_F(HistoryTest, AClientInSeveralChannelsGetsTheirEventsInOrderAndEachOnce) {
  const auto keep_in = [&](std::vector<std::string> channels, std::uint64_t position) {
    history().keep({TargetKind::kChannel, std::move(channels), false}, "news", MessageId(position),
                   event::Frame::make("id:" + std::to_string(position) + "\ndata:x\n\n"), now_);
  };
  keep_in({"b"}, 1);
  keep_in({"c"}, 2);
  keep_in({"c", "b", "x"}, 3);
  keep_in({"x"}, 4);
  keep_in({"b"}, 5);
  for (const std::size_t limit : {1U, 2U, 100U}) {
    History::Client client;
    client.connection = ConnectionId(9000);
    client.last_event_id = "1";
    client.topics = {{TargetKind::kChannel, "b"}, {TargetKind::kChannel, "c"}, {TargetKind::kAll, ""}};
    History::Resuming so_far;
    while (!history().collect(client, so_far, now_, limit)) {
    }
    const hub::Resumption resumption = history().finish(client, std::move(so_far));
    std::vector<std::uint64_t> positions;
    for (const hub::RetainedEvent& event : resumption.missed) positions.push_back(event.position.value());
    EXPECT_THAT(positions, ElementsAre(2, 3, 5)) << "in parts of " << limit;
    EXPECT_EQ(resumption.missed.at(1).frame->channel(), "b");
  }
}

TEST_F(HistoryTest, AClientGetsAnEventOfAUnionOnceThroughATopicThatReachesIt) {
  const Target channel = Target::channel(ChannelName("c"), TenantId("acme"));
  const Target user = Target::user(UserId("1"));
  const auto keep_for = [&](const std::vector<const Target*>& also, std::uint64_t position,
                            const std::string& except = "") {
    history().keep(channel, "news", MessageId(position),
                   event::Frame::make("id:" + std::to_string(position) + "\ndata:x\n\n", {}, TargetKind::kChannel),
                   now_, {also, except});
  };
  options_.events = 10;
  keep_for({&user}, 2000);
  keep_for({}, 2001);
  keep_for({&user}, 2002, "tab-1");
  keep_for({&user}, 2003, "tab-2");
  keep_for({&user}, 2004, "page-9");
  const auto missed = [&](const std::string& name, const std::string& tenant, std::size_t limit) {
    History::Client client;
    client.connection = ConnectionId(9000);
    client.last_event_id = "1500";
    client.topics = {{TargetKind::kChannel, "c"}, {TargetKind::kUser, name}, {TargetKind::kAll, ""}};
    client.tenant = tenant;
    client.client = "tab-1";
    client.instance = "page-9";
    History::Resuming so_far;
    while (!history().collect(client, so_far, now_, limit)) {
    }
    std::vector<std::string> seen;
    for (const hub::RetainedEvent& event : history().finish(client, std::move(so_far)).missed)
      seen.push_back(event.position.str() + std::string(event.frame->channel()));
    return seen;
  };
  for (const std::size_t limit : {1U, 2U, 100U}) {
    SCOPED_TRACE(limit);
    EXPECT_THAT(missed("1", "acme", limit), ElementsAre("2000c", "2001c", "2003c"));
    EXPECT_THAT(missed("1", "other", limit), ElementsAre("2000", "2003"));
    EXPECT_THAT(missed("2", "acme", limit), ElementsAre("2000c", "2001c", "2003c"));
    EXPECT_THAT(missed("2", "", limit), IsEmpty());
  }
}

TEST_F(HistoryTest, ForgetsWhatIsWithdrawnForThatRecipientAlone) {
  const auto keep_message = [&](const Target& target, std::uint64_t position) {
    const std::string bytes = event::encode({"news", "x", std::to_string(position), {}});
    history().keep(target, "news", MessageId(position), event::Frame::make(bytes, MessageId(position), target.kind),
                   now_);
  };
  const auto gone = [](std::uint64_t id, std::string name) {
    return store::Withdrawn{
        ServiceName("hr"), {TargetKind::kUser, std::move(name)}, MessageId(id), store::Withdrawn::Why::kDeleted};
  };
  keep_message(Target{TargetKind::kUser, {"1", "2"}, false}, 2001);
  keep_message(Target::user(UserId("1")), 2002);
  keep(Target::user(UserId("1")), 2003);
  history().withdraw({gone(2001, "1"), gone(2002, "1"), gone(2002, "unknown")});
  EXPECT_THAT(resume("2000").positions, ElementsAre(2003));
  // No client has missed what was recalled.
  EXPECT_FALSE(resume("2000").resync);
  EXPECT_THAT(resume("2000", "2").positions, ElementsAre(2001));
  history().withdraw({gone(2001, "2")});
  EXPECT_EQ(history().events(), 1U);
  // Withdrawn before it came.
  history().withdraw({gone(2005, "1")});
  keep_message(Target{TargetKind::kUser, {"1", "2"}, false}, 2005);
  EXPECT_THAT(resume("2000").positions, ElementsAre(2003));
  EXPECT_THAT(resume("2000", "2").positions, ElementsAre(2005));
  history().withdraw({gone(2007, "1")});
  keep_message(Target::user(UserId("1")), 2007);
  EXPECT_THAT(resume("2000").positions, ElementsAre(2003));
  EXPECT_EQ(history().events(), 2U);
}

// A client that has missed a hundred thousand events held everybody who sent for 97 ms.
TEST_F(HistoryTest, ResumesInPartsThatAreAsLargeAsTheyMayBe) {
  options_.events = 5000;
  for (std::uint64_t i = 1; i <= 4000; ++i) keep(i % 2 == 0 ? Target::user(UserId("1")) : Target::all(), kSince + i);
  History::Client client;
  client.connection = ConnectionId(kSince + 4001);
  client.last_event_id = std::to_string(kSince + 500);
  client.topics = {{TargetKind::kUser, "1"}, {TargetKind::kAll, ""}};
  client.listens = [](std::string_view) { return false; };
  History::Resuming so_far;
  std::size_t parts = 1;
  for (std::uint64_t before = steps_counted(); !history().collect(client, so_far, now_, 100); ++parts) {
    ASSERT_LE(steps_counted() - before, 200U);
    before = steps_counted();
  }
  EXPECT_EQ(parts, 35U);
  const hub::Resumption resumption = history().finish(client, std::move(so_far));
  ASSERT_EQ(resumption.missed.size(), 3500U);
  for (std::size_t i = 0; i < 3500; ++i) ASSERT_EQ(resumption.missed[i].position.value(), kSince + 501 + i);
  EXPECT_TRUE(resumption.notice.empty());
}

// Events that come while a client resumes are in one of its next parts; those that go before they were looked at are
// told as lost, and others are not.
TEST_F(HistoryTest, TellsWhatIsDroppedBetweenTwoPartsOnce) {
  options_.events = 10;
  for (std::uint64_t i = 1; i <= 10; ++i) keep(Target::user(UserId("1")), kSince + i);
  keep(Target::all(), kSince + 11);
  History::Client client;
  client.connection = ConnectionId(kSince + 12);
  client.last_event_id = std::to_string(kSince);
  client.topics = {{TargetKind::kUser, "1"}, {TargetKind::kAll, ""}};
  client.listens = [](std::string_view) { return false; };
  History::Resuming so_far;
  ASSERT_FALSE(history().collect(client, so_far, now_, 4));
  // Drops 1 to 6; 5 and 6 were not looked at yet.
  for (std::uint64_t i = 13; i <= 18; ++i) keep(Target::user(UserId("1")), kSince + i);
  client.connection = ConnectionId(kSince + 19);
  while (!history().collect(client, so_far, now_, 4)) {
  }
  const hub::Resumption resumption = history().finish(client, std::move(so_far));
  std::vector<std::uint64_t> positions;
  for (const hub::RetainedEvent& event : resumption.missed) positions.push_back(event.position.value() - kSince);
  EXPECT_THAT(positions, ElementsAre(1, 2, 3, 4, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18));
  EXPECT_THAT(resumption.notice, ::testing::HasSubstr("\"missed\":2"));
}

TEST_F(HistoryTest, GivesWhatTheClientMissedOfAllThatIsForIt) {
  keep(user("1"), 1001);
  keep(user("2"), 1002);
  keep(Target::channel(ChannelName("c")), 1003);
  keep(Target::channel(ChannelName("d")), 1004);
  keep(Target::all(), 1005);
  keep({TargetKind::kUser, {"2", "1"}, false}, 1006);
  EXPECT_THAT(resume("1001").positions, ElementsAre(1003, 1005, 1006));
  EXPECT_THAT(resume("1005").positions, ElementsAre(1006));
  EXPECT_THAT(resume("1006").positions, IsEmpty());
  EXPECT_THAT(resume("1004").positions, ElementsAre(1005, 1006));
  EXPECT_FALSE(resume("1001").resync);
}

TEST_F(HistoryTest, LeavesTheClientWhereItWasUntilItHasWhatItMissed) {
  keep(user("1"), 1001);
  keep(user("1"), 1002);
  EXPECT_EQ(resume("1001").cursor, "1001");
  EXPECT_EQ(resume("1002").cursor, "");
  EXPECT_EQ(resume("").cursor, "");
}

TEST_F(HistoryTest, GivesEventsForListenersToThoseWhoListen) {
  Target listening = user("1");
  listening.listening = true;
  keep(listening, 1001, 0, "a");
  EXPECT_THAT(resume("1000").positions, IsEmpty());
  EXPECT_THAT(resume("1000", "1", {"a"}).positions, ElementsAre(1001));
  EXPECT_THAT(resume("1000", "1", {"b"}).positions, IsEmpty());
}

// The stream may have had it from the store, before what was published in between: twice is better than never.
TEST_F(HistoryTest, TakesTheIdOfAMessageThatWentOutOfTurnForWhatItSays) {
  keep(user("1"), 1010);
  keep(user("1"), 1011, 1005);  // id 1005, overtaken
  keep(user("1"), 1012);
  EXPECT_THAT(resume("1005").positions, ElementsAre(1010, 1011, 1012));
  EXPECT_THAT(resume("1010").positions, ElementsAre(1011, 1012));
  EXPECT_THAT(resume("1011").positions, ElementsAre(1012));
}

TEST_F(HistoryTest, SaysWhatIsGoneForGood) {
  for (std::uint64_t position = 1001; position <= 1007; ++position) keep(user("1"), position);
  const Answer answer = resume("1002");
  EXPECT_THAT(answer.positions, ElementsAre(1005, 1006, 1007));
  ASSERT_TRUE(answer.resync);
  EXPECT_EQ(*answer.resync, event::Json({{"requested", "1002"}, {"oldest", "1005"}, {"missed", 2}}));
  EXPECT_EQ(answer.resync_id, "1004");
  EXPECT_EQ(metric("sse_history_dropped_total{limit=\"count\",service=\"hr\"}"), 4);
  EXPECT_FALSE(resume("1004").resync) << "it has everything that is gone";
}

TEST_F(HistoryTest, DoesNotMistakeOthersLossesForTheClients) {
  keep(user("1"), 1001);
  for (std::uint64_t position = 1002; position <= 1020; ++position) keep(user("2"), position);
  const Answer answer = resume("1000");
  EXPECT_THAT(answer.positions, ElementsAre(1001));
  EXPECT_FALSE(answer.resync);
}

TEST_F(HistoryTest, DropsTheOldestOfAllWhenMemoryIsShort) {
  options_.events = 1000;
  options_.bytes = kibibytes(64);
  for (std::uint64_t i = 0; i < 100; ++i)
    keep(user(std::to_string(i % 10)), 1001 + i, 0, "news", std::string(2000, 'x'));
  EXPECT_LE(history().bytes(), options_.bytes.count());
  EXPECT_EQ(metric("sse_history_bytes{service=\"hr\"}"), static_cast<double>(history().bytes()));
  EXPECT_EQ(metric("sse_history_dropped_total{limit=\"bytes\",service=\"hr\"}"),
            static_cast<double>(100 - history().events()));
  const Answer answer = resume("1001");
  EXPECT_FALSE(answer.positions.empty());
  ASSERT_TRUE(answer.resync);
  EXPECT_EQ(answer.resync->at("missed").get<std::size_t>() + answer.positions.size(), 10U) << "user 1's";
}

TEST_F(HistoryTest, GivesUpAnEventLargerThanItsMemoryAndSaysSo) {
  options_.bytes = kibibytes(64);
  keep(user("1"), 1001, 0, "news", std::string(100'000, 'x'));
  EXPECT_EQ(history().events(), 0U);
  const Answer answer = resume("1000");
  EXPECT_THAT(answer.positions, IsEmpty());
  ASSERT_TRUE(answer.resync);
  EXPECT_EQ(answer.resync->at("missed"), 1);
  EXPECT_EQ(answer.resync->at("oldest"), nullptr);
}

TEST_F(HistoryTest, StaysWithinItsMemoryHoweverManyNamesThereAre) {
  options_.bytes = kibibytes(256);
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    keep(user("somebody with a long name " + std::to_string(i)), 1001 + i);
    ASSERT_LE(history().bytes(), options_.bytes.count());
  }
  // Who is not remembered is told rather too often than too seldom.
  EXPECT_TRUE(resume("1002", "nobody", {}, 90'000).resync);
  EXPECT_FALSE(resume("51000", "nobody", {}, 90'000).resync);
}

TEST_F(HistoryTest, DropsWhatIsOld) {
  options_.ttl = seconds(60);
  keep(user("1"), 1001);
  now_ += seconds(59);
  keep(user("1"), 1002);
  EXPECT_THAT(resume("1000").positions, ElementsAre(1001, 1002));
  now_ += seconds(1);
  const Answer answer = resume("1000");
  EXPECT_THAT(answer.positions, ElementsAre(1002));
  ASSERT_TRUE(answer.resync);
  EXPECT_EQ(answer.resync->at("missed"), 1);
  EXPECT_EQ(metric("sse_history_dropped_total{limit=\"age\",service=\"hr\"}"), 1);
}

TEST_F(HistoryTest, CannotKnowWhatWasBeforeItsTime) {
  keep(user("1"), 1001);
  const Answer answer = resume("17");
  EXPECT_THAT(answer.positions, ElementsAre(1001));
  ASSERT_TRUE(answer.resync);
  EXPECT_EQ(answer.resync->at("missed"), nullptr);
  EXPECT_EQ(answer.cursor, "17");
}

TEST_F(HistoryTest, TellsAClientWithAnIdFromElsewhereToStartAfresh) {
  keep(user("1"), 1001);
  for (const std::string id : {"garbage", "-5", "0", "9000", "123456", "99999999999999999999999", "1001 ", "日本"}) {
    const Answer answer = resume(id);
    EXPECT_THAT(answer.positions, IsEmpty()) << id;
    ASSERT_TRUE(answer.resync) << id;
    EXPECT_EQ(answer.resync->at("requested"), id);
    EXPECT_EQ(answer.resync->at("missed"), nullptr);
    EXPECT_EQ(answer.resync->at("oldest"), "1001");
    EXPECT_EQ(answer.resync_id, "9000") << "from here on it is a client like any other";
  }
  EXPECT_EQ(resume("garbage").cursor, "garbage");
  EXPECT_EQ(resume("two\nlines").cursor, "0") << "what no id can be";
  EXPECT_EQ(resume(std::string(10'000, 'x')).cursor, "0");
  EXPECT_LT(resume(std::string(10'000, 'x')).resync->dump().size(), 300U);
}

TEST_F(HistoryTest, KeepsNothingUnlessToldTo) {
  options_.events = 0;
  EXPECT_FALSE(history().on());
  EXPECT_EQ(resume("17").cursor, "");
  EXPECT_FALSE(resume("17").resync);
}

// Against a model that remembers everything: random events to random targets, some out of turn, and clients that come
// back with any cursor they could have.
TEST_F(HistoryTest, AgreesWithAModelThatRemembersEverything) {
  struct Happened {
    std::uint64_t position;
    std::uint64_t id;
    TargetKind kind;
    std::vector<std::string> names;
    bool listening;
    std::string event;
  };
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&random](std::size_t n) { return random() % n; };
    options_.events = 1 + pick(6);
    history_.reset();
    std::vector<Happened> all;
    std::uint64_t next = kSince;
    for (std::size_t step = 0; step < 60; ++step) {
      next += 1 + pick(3);
      if (pick(4) != 0) {
        Happened it{next, next, TargetKind::kAll, {}, pick(3) == 0, pick(2) == 0 ? "a" : "b"};
        if (pick(5) == 0 && pick(2) == 0) {
          ++next;
          it.position = next;
          it.id = next - 1;
        }
        switch (pick(3)) {
          case 0: {
            it.kind = TargetKind::kUser;
            const std::size_t first = pick(3);
            it.names = {std::to_string(first)};
            if (pick(2) == 0) it.names.push_back(std::to_string((first + 1) % 3));
            break;
          }
          case 1:
            it.kind = TargetKind::kChannel;
            it.names = {pick(2) == 0 ? "c" : "d"};
            break;
          default:
            break;
        }
        keep({it.kind, it.names, it.listening}, it.position, it.id, it.event);
        all.push_back(it);
        continue;
      }
      const std::string who = std::to_string(pick(3));
      const std::set<std::string> listeners = pick(2) == 0 ? std::set<std::string>{"a"} : std::set<std::string>{};
      const std::uint64_t cursor = kSince + pick(static_cast<std::size_t>(next - kSince) + 1);
      const Answer answer = resume(std::to_string(cursor), who, listeners, next + 1);

      const auto mine = [&](const Happened& it, TargetKind kind, const std::string& name) {
        return it.kind == kind && (kind == TargetKind::kAll || std::ranges::find(it.names, name) != it.names.end());
      };
      std::set<std::uint64_t> kept;
      std::uint64_t lost = 0;
      const std::vector<std::pair<TargetKind, std::string>> topics{
          {TargetKind::kUser, who}, {TargetKind::kChannel, "c"}, {TargetKind::kAll, ""}};
      for (const auto& [kind, name] : topics) {
        std::vector<const Happened*> topic;
        for (const Happened& it : all) {
          if (mine(it, kind, name)) topic.push_back(&it);
        }
        for (std::size_t i = 0; i < topic.size(); ++i) {
          if (topic[i]->position <= cursor) continue;
          if (topic.size() - i > options_.events) {
            ++lost;
          } else if (!topic[i]->listening || listeners.contains(topic[i]->event)) {
            kept.insert(topic[i]->position);
          }
        }
      }
      ASSERT_EQ(answer.positions, std::vector<std::uint64_t>(kept.begin(), kept.end())) << "cursor " << cursor;
      ASSERT_EQ(answer.resync.has_value(), lost > 0);
      if (answer.resync) {
        ASSERT_EQ(answer.resync->at("missed"), lost);
      }
    }
  }
}

}  // namespace
}  // namespace sse::delivery
