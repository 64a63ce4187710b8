#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "delivery/sender.h"
#include "event/json.h"
#include "hub/connection_scan.h"
#include "store/memory/memory_repository.h"
#include "support/page.h"

namespace sse::delivery {
namespace {

using event::Target;
using event::TargetKind;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ReceivedEvent;

class ResumeTest : public ::testing::Test {
 protected:
  ResumeTest() {
    options_.hub.service = ServiceName("hr");
    options_.hub.client_max_connections = 0;
    options_.history.events = 100'000;
  }
  ~ResumeTest() override {
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
  std::string send(Target target, std::string data, bool qos = false, std::string event = "news") {
    return std::to_string(
        sender().send({std::move(target), std::move(event), std::move(data), qos, milliseconds(0)}).id);
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name + "{service=\"hr\"}"]; }

  SenderOptions options_;
  IdGenerator ids_{1};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Sender> sender_;
};

// A client that does what a browser does: reads events, keeps the last id, comes back with it.
class Browser {
 public:
  Browser(Sender& sender, std::string user, std::string channel = "", std::vector<std::string> listeners = {})
      : sender_(sender), user_(std::move(user)), channel_(std::move(channel)), listeners_(std::move(listeners)) {}

  void connect() {
    page_.emplace(testing::connect_page(sender_, {.user = user_,
                                                  .channel = channel_,
                                                  .listeners = listeners_,
                                                  .query = "clientId=browser",
                                                  .keepalive = keepalive_,
                                                  .confirms = confirms_,
                                                  .last_event = parse_id(last_event_id_).value_or(0),
                                                  .last_event_id = last_event_id_}));
  }
  // Sees the first `bytes` of what has come, and is cut off there.
  void cut(std::size_t bytes) { check(std::string_view(client().received()).substr(0, bytes)); }
  // Sees everything up to an event with this data, and stays.
  void read_until(const std::string& data) {
    EXPECT_TRUE(client().receive_until("data:" + data + "\n"));
    EXPECT_TRUE(client().receive_until("\n\n"));
  }
  void leave() { cut(std::string::npos); }
  void read_to_end() {
    EXPECT_TRUE(client().receive_all());
    leave();
  }
  testing::Client& client() { return page_->client; }

  const std::vector<ReceivedEvent>& seen() const { return seen_; }
  std::vector<std::string> data() const { return testing::data_of(seen_); }
  const std::string& last_event_id() const { return last_event_id_; }
  void set_last_event_id(std::string id) { last_event_id_ = std::move(id); }
  void forget() { seen_.clear(); }
  // As ack=1 says: what its TCP acknowledges confirms nothing.
  void confirm_by_itself() { confirms_ = true; }
  // Its streams from now on; 0: for ever.
  void live_for(milliseconds time) { keepalive_ = time; }

 private:
  void check(std::string_view bytes) {
    std::string last_id;
    for (ReceivedEvent& e : testing::parse_events(bytes, &last_id)) {
      if (e.type != "connect-finish") seen_.push_back(std::move(e));
    }
    if (!last_id.empty()) last_event_id_ = last_id;
    page_.reset();
  }

  Sender& sender_;
  std::string user_;
  std::string channel_;
  std::vector<std::string> listeners_;
  std::string last_event_id_;
  bool confirms_ = false;
  milliseconds keepalive_{0};
  std::optional<testing::Page> page_;
  std::vector<ReceivedEvent> seen_;
};

TEST_F(ResumeTest, GivesWhatWasMissedBeforeWhatIsLive) {
  Browser browser(sender(), "1", "c");
  browser.connect();
  send(Target::user(UserId("1")), "seen");
  browser.read_until("seen");
  browser.leave();
  send(Target::user(UserId("1")), "to the user");
  send(Target::user(UserId("2")), "to another");
  send(Target::channel(ChannelName("c")), "to the channel");
  send(Target::all(), "to all", true);
  browser.connect();
  send(Target::user(UserId("1")), "live");
  browser.read_until("live");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("seen", "to the user", "to the channel", "to all", "live"));
  EXPECT_EQ(metric("sse_resumed_total"), 1);
  EXPECT_EQ(metric("sse_resumed_events_total"), 3);
  EXPECT_EQ(metric("sse_resyncs_total"), 0);
}

TEST_F(ResumeTest, GivesAnEventOfAUnionOnceAndNotToTheClientThatIsLeftOut) {
  Browser browser(sender(), "1", "c");
  browser.connect();
  const auto send_union = [&](std::string data, std::string except = "") {
    SendRequest request{Target::channel(ChannelName("c")), "news", std::move(data)};
    request.also = {Target::user(UserId("1")), Target::tenant(TenantId("acme"))};
    request.except = std::move(except);
    return sender().send(std::move(request));
  };
  const SendResult live = send_union("live");
  EXPECT_EQ(live.delivered, 1U);
  ASSERT_EQ(live.recipients.size(), 3U);
  EXPECT_EQ(live.recipients[0].kind, TargetKind::kChannel);
  EXPECT_EQ(live.recipients[0].delivered, 1U);
  EXPECT_EQ(live.recipients[1].delivered, 0U);
  EXPECT_EQ(live.recipients[2].name, "acme");
  EXPECT_EQ(send_union("not live", "browser").delivered, 0U);
  browser.read_until("live");
  EXPECT_EQ(browser.client().received().find("not live"), std::string::npos);
  browser.leave();
  EXPECT_EQ(browser.last_event_id(), std::to_string(live.id));
  send_union("missed");
  send_union("not missed", "browser");
  send_union("of another client", "other");
  browser.connect();
  send(Target::user(UserId("1")), "again live");
  browser.read_until("again live");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("live", "missed", "of another client", "again live"));
  EXPECT_EQ(metric("sse_history_events"), 6);
}

TEST_F(ResumeTest, GivesNoClientWhatWasDeletedCollapsedOrHasExpired) {
  Browser browser(sender(), "1");
  browser.connect();
  send(Target::user(UserId("1")), "seen");
  browser.read_until("seen");
  browser.leave();
  const auto to_user = Target::user(UserId("1"));
  sender().send({to_user, "news", "price 1", true, milliseconds(0), "", "price"});
  sender().send({to_user, "news", "price 2", true, milliseconds(0), "", "price"});
  const std::string deleted = send(to_user, "deleted", true);
  sender().send({to_user, "news", "expired", true, milliseconds(1)});
  repository_.erase(MessageId(*parse_id(deleted)));
  repository_.expire(ids_.clock().wall_now() + std::chrono::seconds(1));
  send(to_user, "plain");
  browser.connect();
  browser.read_until("plain");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("seen", "price 2", "plain"));
  EXPECT_EQ(metric("sse_collapsed_total"), 1);
  EXPECT_EQ(metric("sse_resyncs_total"), 0);
  const auto story = sender().trace().of(MessageId(*parse_id(deleted)));
  EXPECT_EQ(story.back().what, Trace::Step::kDeleted);
  EXPECT_EQ(story.back().name, "1");
}

TEST_F(ResumeTest, DoesNotMoveAClientBackWhenAMessageIsSentOnceMore) {
  Browser browser(sender(), "1");
  browser.confirm_by_itself();
  browser.connect();
  const std::string pending = send(Target::user(UserId("1")), "pending", true);
  const std::string behind = send(Target::user(UserId("1")), "behind");
  EXPECT_TRUE(browser.client().receive_until("data:behind\n\n"));
  EXPECT_EQ(sender().retry(repository_.find(MessageId(*parse_id(pending)))), 1U);
  send(Target::all(), "last");
  EXPECT_TRUE(browser.client().receive_until("data:last\n\n"));
  const std::string& bytes = browser.client().received();
  // Cut right behind the second copy.
  const std::size_t second = bytes.find("data:pending", bytes.find("data:pending") + 1);
  ASSERT_NE(second, std::string::npos);
  const std::size_t end = bytes.find("\n\n", second) + 2;
  const std::string next = bytes.substr(end, bytes.find("\n\n", end) + 2 - end);
  browser.cut(next.find("data:") == std::string::npos ? end + next.size() : end);
  browser.forget();
  EXPECT_GT(*parse_id(browser.last_event_id()), *parse_id(behind));
}

TEST_F(ResumeTest, GivesAClientThatComesBackWhatWasRequeuedMeanwhile) {
  Browser browser(sender(), "1");
  browser.connect();
  send(Target::user(UserId("1")), "seen");
  browser.read_until("seen");
  browser.leave();
  sender().send({Target::user(UserId("1")), "news", "letter", true, milliseconds(1)});
  const WallTime now = ids_.clock().wall_now() + std::chrono::seconds(1);
  ASSERT_EQ(repository_.expire(now), 1U);
  const auto ids = repository_.requeue({}, {}, now);
  ASSERT_THAT(ids, ::testing::SizeIs(1));
  sender().send_requeued(repository_.find(ids.front()));
  // Another stream of the recipient confirms it.
  repository_.confirm(ServiceName("hr"), {TargetKind::kUser, "1"}, ids.front());
  browser.connect();
  send(Target::user(UserId("1")), "live");
  browser.read_until("live");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("seen", "letter", "live"));
}

TEST_F(ResumeTest, GivesIdsInTheOrderOfTheRequestsWhicheverAreKept) {
  std::vector<SendRequest> requests;
  for (int i = 0; i < 9; ++i)
    requests.push_back({Target::user(UserId("1")), "news", std::to_string(i), i % 3 == 1 || i == 3, milliseconds(0)});
  std::vector<std::uint64_t> ids;
  for (const SendOutcome& outcome : sender().send_all(std::move(requests))) ids.push_back(outcome.result.id);
  EXPECT_TRUE(std::ranges::is_sorted(ids, std::less_equal<>())) << ::testing::PrintToString(ids);
}

TEST_F(ResumeTest, LetsAClientResumeThatHasSeenNothingButTheFirstEvent) {
  Browser browser(sender(), "1");
  send(Target::user(UserId("1")), "before its time");
  browser.connect();
  ASSERT_TRUE(browser.client().receive_until("\n\n"));
  browser.leave();
  send(Target::user(UserId("1")), "missed");
  browser.connect();
  browser.read_until("missed");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("missed"));
}

TEST_F(ResumeTest, DoesNotTakeTheFirstEventForWhatWasMissed) {
  Browser browser(sender(), "1");
  browser.connect();
  ASSERT_TRUE(browser.client().receive_until("\n\n"));
  browser.leave();
  send(Target::user(UserId("1")), "missed");
  browser.connect();
  browser.read_until("missed");
  // Cut right behind connect-finish.
  browser.cut(browser.client().received().find("\n\n") + 2);
  EXPECT_THAT(browser.data(), IsEmpty());
  browser.connect();
  browser.read_until("missed");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("missed"));
}

TEST_F(ResumeTest, TellsAClientWhatIsGoneInAnEventItCanSee) {
  options_.history.events = 2;
  Browser browser(sender(), "1");
  browser.connect();
  const std::string first = send(Target::all(), "seen");
  browser.read_until("seen");
  browser.leave();
  send(Target::all(), "gone");
  const std::string oldest = send(Target::all(), "kept 1");
  send(Target::all(), "kept 2");
  browser.connect();
  browser.read_until("kept 2");
  browser.leave();
  ASSERT_THAT(browser.data(), ::testing::SizeIs(4));
  EXPECT_EQ(browser.seen()[1].type, "resync");
  EXPECT_EQ(event::Json::parse(browser.seen()[1].data),
            event::Json({{"requested", first}, {"oldest", oldest}, {"missed", 1}}));
  EXPECT_EQ(browser.seen()[2].data, "kept 1");
  EXPECT_EQ(browser.seen()[3].data, "kept 2");
  EXPECT_EQ(metric("sse_resyncs_total"), 1);
}

TEST_F(ResumeTest, TreatsAnIdFromElsewhereAsAFreshStartThatIsSaid) {
  Browser browser(sender(), "1");
  send(Target::all(), "old");
  browser.set_last_event_id("another server's");
  browser.connect();
  send(Target::all(), "new");
  browser.read_until("new");
  browser.leave();
  ASSERT_THAT(browser.data(), ::testing::SizeIs(2));
  EXPECT_EQ(browser.seen()[0].type, "resync");
  EXPECT_EQ(browser.seen()[1].data, "new");
}

TEST_F(ResumeTest, GivesAMessageOnceWhetherItIsPendingOrKept) {
  Browser one(sender(), "1");
  Browser other(sender(), "1");
  for (Browser* browser : {&one, &other}) {
    browser->connect();
    ASSERT_TRUE(browser->client().receive_until("\n\n"));
  }
  one.leave();
  other.leave();
  ASSERT_TRUE(testing::eventually([&] { return sender().hub().directory().connections() == 0; }));
  send(Target::user(UserId("1")), "first", true);
  send(Target::user(UserId("1")), "second");
  send(Target::user(UserId("1")), "third", true);
  one.connect();
  one.read_until("third");
  ASSERT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
  one.leave();
  // Confirmed by the user's other device: only the history has it now.
  other.connect();
  send(Target::user(UserId("1")), "live", true);
  other.read_until("live");
  other.leave();
  EXPECT_THAT(one.data(), ElementsAre("first", "second", "third"));
  EXPECT_THAT(other.data(), ElementsAre("first", "second", "third", "live"));
}

// What waited for its recipient has an old id; the client must not come back with it.
TEST_F(ResumeTest, DoesNotSendTheClientBackInTimeWithAMessageThatWaited) {
  send(Target::user(UserId("1")), "waited", true);
  Browser browser(sender(), "1");
  send(Target::all(), "before its time");
  browser.connect();
  browser.read_until("waited");
  ASSERT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
  send(Target::all(), "live");
  browser.read_until("live");
  browser.leave();
  browser.connect();
  send(Target::all(), "end");
  browser.read_until("end");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("waited", "live", "end"));
}

TEST_F(ResumeTest, KeepsTheOrderWhenAListenerIsAddedToAnOldStream) {
  Target listening = Target::user(UserId("1"));
  listening.listening = true;
  Browser browser(sender(), "1");
  browser.connect();
  ASSERT_TRUE(browser.client().receive_until("\n\n"));
  send(listening, "for listeners", true, "special");
  send(Target::all(), "between");
  browser.read_until("between");
  const auto all = hub::find(sender().hub().directory(), {});
  ASSERT_THAT(all, ::testing::SizeIs(1));
  sender().hub().change_listeners(all.front(), {UserId("1")}, {"special"}, true);
  browser.read_until("for listeners");
  ASSERT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
  browser.leave();
  browser.connect();
  send(Target::all(), "end");
  browser.read_until("end");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("between", "for listeners", "end"));
}

TEST_F(ResumeTest, ConfirmsWithItsLastEventIdWhatThatCovers) {
  const Target user = Target::user(UserId("1"));
  Browser browser(sender(), "1");
  browser.confirm_by_itself();
  browser.connect();
  ASSERT_TRUE(browser.client().receive_until("\n\n"));
  send(user, "a", true);
  send(user, "b");
  send(user, "c", true);
  browser.read_until("c");
  // It has handled no more than a and b.
  browser.cut(browser.client().received().find("data:b\n\n") + 8);
  EXPECT_EQ(repository_.size(), 2U);
  send(user, "d");
  send(user, "e", true);
  browser.connect();
  send(user, "f", true);
  browser.read_until("f");
  EXPECT_TRUE(testing::eventually([&] { return repository_.size() == 3; })) << "a is confirmed, c, e and f are not";
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("a", "b", "c", "d", "e", "f"));
  browser.connect();
  EXPECT_TRUE(testing::eventually([&] { return repository_.size() == 0; }));
  send(user, "g");
  browser.read_until("g");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("a", "b", "c", "d", "e", "f", "g"));
}

TEST_F(ResumeTest, LeavesNoGapToAClientThatConfirmsWhereverItIsCutOff) {
  const Target user = Target::user(UserId("1"));
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Browser browser(sender(), "1");
    browser.confirm_by_itself();
    browser.connect();
    ASSERT_TRUE(browser.client().receive_until("\n\n"));
    // Who has seen no id at all is promised nothing of the past.
    browser.leave();
    browser.connect();
    std::vector<std::string> sent;
    for (int turn = 0; turn < 20; ++turn) {
      const auto events = random() % 4;
      for (auto n = events; n > 0; --n) {
        sent.push_back(std::to_string(turn) + "/" + std::to_string(n));
        send(random() % 4 == 0 ? Target::all() : user, sent.back(), random() % 2 == 0);
      }
      if (events == 0 || random() % 2 == 0) continue;
      browser.read_until(sent.back());
      browser.cut(random() % (browser.client().received().size() + 1));
      browser.connect();
    }
    sent.emplace_back("end");
    send(user, "end", true);
    browser.read_until("end");
    browser.leave();
    std::vector<std::string> first_sights;
    std::map<std::string, std::set<std::string>> ids;
    for (const ReceivedEvent& e : browser.seen()) {
      if (ids[e.data].insert(e.id).second && ids[e.data].size() == 1) first_sights.push_back(e.data);
    }
    EXPECT_EQ(first_sights, sent) << "no gap, in order";
    EXPECT_EQ(browser.seen().size(), sent.size()) << "none twice";
    browser.connect();
    EXPECT_TRUE(testing::eventually([&] { return repository_.size() == 0; })) << "its id confirms all";
    browser.leave();
    ASSERT_TRUE(testing::eventually([&] { return sender().hub().directory().connections() == 0; }));
    if (HasFailure()) return;
  }
}

TEST_F(ResumeTest, TakesWhatWasMissedAtTheClientsPace) {
  options_.hub.stream.max_backlog = 32 * 1024;
  Browser browser(sender(), "1");
  browser.connect();
  ASSERT_TRUE(browser.client().receive_until("\n\n"));
  browser.leave();
  const std::string big(10'000, 'x');
  for (int i = 0; i < 1000; ++i) send(Target::all(), std::to_string(i) + big);
  browser.connect();
  send(Target::all(), "end");
  browser.read_until("end");
  browser.leave();
  ASSERT_THAT(browser.data(), ::testing::SizeIs(1001));
  EXPECT_EQ(browser.seen()[999].data, "999" + big);
}

TEST_F(ResumeTest, TellsClientsThatComeBackWhereThereIsNoHistoryThatTheyMayHaveMissedSomething) {
  options_.history.events = 0;
  Browser browser(sender(), "1");
  browser.connect();
  send(Target::all(), "seen");
  browser.read_until("seen");
  browser.leave();
  const std::string came_with = browser.last_event_id();
  send(Target::all(), "missed");
  const std::string kept = send(Target::user(UserId("1")), "kept", true);
  browser.forget();
  browser.connect();
  send(Target::all(), "end");
  browser.read_until("end");
  browser.leave();
  ASSERT_EQ(browser.seen().size(), 3U);
  EXPECT_EQ(browser.seen()[0].type, "resync");
  EXPECT_EQ(event::Json::parse(browser.seen()[0].data),
            event::Json({{"requested", came_with}, {"oldest", nullptr}, {"missed", nullptr}}));
  // It stands behind the connection: cut right here, the client is told once more.
  EXPECT_GT(parse_id(browser.seen()[0].id).value_or(0), parse_id(kept).value_or(0));
  EXPECT_THAT(browser.data(), ElementsAre(browser.seen()[0].data, "kept", "end"));
  EXPECT_EQ(metric("sse_resyncs_total"), 1);
}

TEST_F(ResumeTest, TellsAClientNothingWhoseTimeWasOverJustBefore) {
  options_.history.events = 0;
  options_.hub.heartbeat = milliseconds(200);
  Browser browser(sender(), "1");
  browser.live_for(milliseconds(1));
  browser.connect();
  browser.read_to_end();
  browser.live_for(milliseconds(0));
  browser.connect();
  send(Target::all(), "end");
  browser.read_until("end");
  browser.leave();
  EXPECT_THAT(browser.data(), ElementsAre("end"));
  EXPECT_EQ(metric("sse_resyncs_total"), 0);
}

// Everybody sends at once, clients are cut off at any byte and come back; `qos`: every other event is sent with it.
class ResumeStormTest : public ResumeTest {
 protected:
  struct Sent {
    std::string data;
    Target target;
    bool qos = false;
  };
  struct Client {
    std::string user;
    std::string channel;
    std::vector<std::string> data;
  };

  // Where they differ first, with what stands around it; a list of hundreds says nothing.
  static std::string first_difference(const std::vector<std::string>& got, const std::vector<std::string>& expected) {
    const auto [g, e] = std::ranges::mismatch(got, expected);
    if (g == got.end() && e == expected.end()) return "";
    std::string text = "at " + std::to_string(g - got.begin()) + " got";
    for (auto i = g; i != got.end() && i - g < 4; ++i) text += " " + *i;
    text += ", expected";
    for (auto i = e; i != expected.end() && i - e < 4; ++i) text += " " + *i;
    return text;
  }

  void run(unsigned seed, bool qos) {
    sender();  // the first call makes it, and is not for several threads
    constexpr int kSenders = 3;
    constexpr int kMessages = 250;
    std::vector<Client> clients{{"1", "c", {}}, {"1", "", {}}, {"2", "c", {}}, {"", "d", {}}};
    std::map<std::uint64_t, Sent> sent;  // by id
    Mutex mutex;
    std::atomic<int> ready{0};
    std::vector<std::thread> readers;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      readers.emplace_back([&, i] {
        std::mt19937 random(seed * 100 + static_cast<unsigned>(i));
        Browser browser(sender(), clients[i].user, clients[i].channel);
        browser.connect();
        EXPECT_TRUE(browser.client().receive_until("\n\n"));
        browser.leave();
        ++ready;
        for (int turn = 0; turn < 5000; ++turn) {
          browser.connect();
          const std::size_t reads = random() % 4;
          for (std::size_t n = 0; n < reads; ++n) browser.client().receive_some(milliseconds(20));
          const std::size_t all = browser.client().received().size();
          browser.cut(random() % 3 == 0 || all == 0 ? all : random() % all);
          if (!browser.seen().empty() && browser.seen().back().data == "end") break;
        }
        clients[i].data = browser.data();
      });
    }
    ASSERT_TRUE(testing::eventually([&] { return ready == static_cast<int>(clients.size()); }));
    std::vector<std::thread> senders;
    for (int s = 0; s < kSenders; ++s) {
      senders.emplace_back([&, s] {
        std::mt19937 random(seed * 1000 + static_cast<unsigned>(s));
        const std::vector<Target> targets{Target::user(UserId("1")),
                                          Target::user(UserId("2")),
                                          Target::channel(ChannelName("c")),
                                          Target::channel(ChannelName("d")),
                                          Target::all(),
                                          {TargetKind::kUser, {"1", "2"}, false}};
        for (int m = 0; m < kMessages; ++m) {
          Sent it{std::to_string(s) + "/" + std::to_string(m), targets[random() % targets.size()], false};
          it.qos = qos && random() % 2 == 0;
          const std::string id = send(it.target, it.data, it.qos);
          const MutexLock lock(mutex);
          sent.emplace(std::stoull(id), std::move(it));
        }
      });
    }
    for (std::thread& thread : senders) thread.join();
    send(Target::all(), "end");
    for (std::thread& thread : readers) thread.join();

    for (const Client& client : clients) {
      SCOPED_TRACE("user '" + client.user + "', channel '" + client.channel + "'");
      std::vector<std::string> expected;
      std::vector<std::string> expected_messages;
      for (const auto& [id, it] : sent) {
        const auto& names = it.target.names;
        const bool mine =
            it.target.kind == TargetKind::kAll ||
            (it.target.kind == TargetKind::kUser && std::ranges::find(names, client.user) != names.end()) ||
            (it.target.kind == TargetKind::kChannel && names.front() == client.channel);
        if (mine) (it.qos ? expected_messages : expected).push_back(it.data);
      }
      expected.emplace_back("end");
      std::set<std::string> messages(expected_messages.begin(), expected_messages.end());
      std::vector<std::string> got;
      std::vector<std::string> got_messages;
      for (const std::string& data : client.data) {
        if (messages.contains(data)) {
          got_messages.push_back(data);
        } else if (!qos || std::ranges::find(got, data) == got.end()) {
          // Cut off between an old message and the id behind it, the client sees again what it has seen.
          got.push_back(data);
        }
      }
      EXPECT_EQ(first_difference(got, expected), "") << "in order, each once";
      std::ranges::sort(got_messages);
      std::ranges::sort(expected_messages);
      const auto doubles = std::unique(got_messages.begin(), got_messages.end());
      RecordProperty("doubles", static_cast<int>(got_messages.end() - doubles));
      got_messages.erase(doubles, got_messages.end());
      std::vector<std::string> missing;
      std::ranges::set_difference(expected_messages, got_messages, std::back_inserter(missing));
      EXPECT_THAT(missing, ::testing::IsEmpty());
      EXPECT_EQ(got_messages.size(), expected_messages.size()) << "and none is another user's";
    }
    EXPECT_EQ(metric("sse_resyncs_total"), 0);
  }
};

class ResumeStormSeedTest : public ResumeStormTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(ResumeStormSeedTest, GivesEveryEventOnceAndInOrder) {
  run(GetParam(), false);
}
TEST_P(ResumeStormSeedTest, LosesNoMessageBetweenStoreAndHistory) {
  run(GetParam(), true);
}
INSTANTIATE_TEST_SUITE_P(Seeds, ResumeStormSeedTest, ::testing::Range(1U, 5U));

}  // namespace
}  // namespace sse::delivery
