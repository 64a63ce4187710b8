#include "hub/hub.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "base/step_count.h"
#include "event/json.h"
#include "hub/connection_scan.h"
#include "hub/observer.h"
#include "hub/session_duration.h"
#include "support/page.h"

namespace sse::hub {
namespace {

using event::Target;
using event::TargetKind;
using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Page;
using testing::PageOptions;
using ::testing::SizeIs;

constexpr const char* kHead = "HTTP/1.1 200 OK\r\n\r\n";

event::FrameRef frame(const std::string& data, std::uint64_t message = 0, TargetKind kind = TargetKind::kUser) {
  return event::Frame::make("data:" + data + "\n\n", MessageId(message), kind);
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// What happened to connections, in a word and the reason.
class Watcher final : public Observer {
 public:
  void connected(const ServiceName&, ConnectionInfo connection) override { note("connected", connection); }
  void disconnected(const ServiceName&, ConnectionInfo connection, net::CloseReason reason, std::string) override {
    note(std::string(net::reason_name(reason)), connection);
  }
  void listening_changed(const ServiceName&, ConnectionInfo, std::vector<std::string>, bool) override {}

  std::vector<std::string> story() {
    const MutexLock lock(mutex_);
    return story_;
  }

 private:
  void note(const std::string& what, const ConnectionInfo& connection) {
    const MutexLock lock(mutex_);
    story_.push_back(what + " " + connection.identity.user.str());
  }

  Mutex mutex_;
  std::vector<std::string> story_ GUARDED_BY(mutex_);
};

class Delegate final : public HubDelegate {
 public:
  void left(const Names&) override { ++left_; }
  int left() const { return left_; }
  bool request_replay(const ReplayRequest& request) override {
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    return answers_;
  }
  void acknowledged(TargetKind kind, std::string_view name, MessageId message, ConnectionId) override {
    const MutexLock lock(mutex_);
    acknowledged_.emplace_back(kind, std::string(name), message.value());
  }

  void acknowledged_before(TargetKind kind, std::string_view name, MessageId message) override {
    const MutexLock lock(mutex_);
    acknowledged_before_.emplace_back(kind, std::string(name), message.value());
  }

  /// True: replays are answered by the test.
  void answer(bool on) {
    const MutexLock lock(mutex_);
    answers_ = on;
  }
  std::vector<ReplayRequest> requests() {
    const MutexLock lock(mutex_);
    return requests_;
  }
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledgements() {
    const MutexLock lock(mutex_);
    return acknowledged_;
  }
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledgements_before() {
    const MutexLock lock(mutex_);
    return acknowledged_before_;
  }

 private:
  std::atomic<int> left_{0};
  Mutex mutex_;
  bool answers_ GUARDED_BY(mutex_) = false;
  std::vector<ReplayRequest> requests_ GUARDED_BY(mutex_);
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledged_ GUARDED_BY(mutex_);
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledged_before_ GUARDED_BY(mutex_);
};

class HubTest : public ::testing::Test {
 protected:
  HubTest() {
    options_.service = ServiceName("hr");
    options_.heartbeat = milliseconds(0);
  }
  ~HubTest() override {
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
  }

  void start(std::size_t loops = 3) {
    create(loops);
    for (const auto& loop : loops_) loop->start();
  }
  // The loops do not run yet.
  void create(std::size_t loops) {
    for (std::size_t i = 0; i < loops; ++i)
      loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i), clock_));
    hub_ = std::make_unique<Hub>(options_, loops_, ids_, metrics_, delegate_);
  }

  // Connects and waits until connect-finish has arrived.
  Page open(PageOptions options) {
    options.head = kHead;
    options.confirms = options.confirms || options.marks;
    Page page = testing::open_page(*hub_, options);
    page.client.follow(clock_);
    return page;
  }
  // Every loop has been through what was due before the call.
  void settle() {
    // A turn runs its tasks before its timers: the second task comes after the first one's turn.
    for (int i = 0; i < 2; ++i) hub_->visit({}, [](Shard&, std::size_t) {});
  }
  // Waits for a condition; time goes on meanwhile, and stands still otherwise.
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(milliseconds(1), condition, testing::kSocketTimeout);
  }
  Page open_user(const std::string& user) { return open({.user = user}); }

  // Steps that all loops have counted, see base/step_count.h.
  std::uint64_t steps() {
    std::atomic<std::uint64_t> sum{0};
    hub_->visit({}, [&](Shard&, std::size_t) { sum += steps_counted(); });
    return sum;
  }

  std::vector<std::uint32_t> deliver(TargetKind kind, std::vector<std::string> names, const std::string& data,
                                     bool listening = false) {
    return hub_->deliver({kind, std::move(names), listening}, "news", frame(data));
  }
  double closed_for(const std::string& reason) {
    return metrics_.snapshot()["sse_streams_closed_total{reason=\"" + reason + "\",service=\"hr\"}"];
  }

  HubOptions options_;
  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  Delegate delegate_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Hub> hub_;
};

TEST_F(HubTest, BeginsAStreamWithTheHeadAndConnectFinishInTheFieldOrderClientsKnow) {
  options_.reconnect_time = milliseconds(1234);
  start();
  const Page page = open_user("1");
  EXPECT_THAT(page.client.received(),
              MatchesRegex("HTTP/1.1 200 OK\r\n\r\nid:" + page.id.str() +
                           "\nretry:1234\nevent:connect-finish\ndata:\\{\"connectionId\":\"" + page.id.str() +
                           "\",\"serverTime\":[0-9]{13},\"reconnectTime\":1234,\"name\":\"hr\","
                           "\"enableCluster\":false,\"version\":\"[^\"]+\"\\}\n\n"));
}

// The kernel watches no regular file, as it watches no socket when there are too many (fs.epoll.max_user_watches).
TEST_F(HubTest, AStreamThatCannotBeWatchedIsRefusedAndAddsUp) {
  Watcher watcher;
  options_.observer = &watcher;
  options_.in_cluster = true;
  start();
  const testing::TempFolder folder;
  NewConnection fresh;
  fresh.identity = {UserId("1"), TenantId(), AccessToken()};
  fresh.socket.fd.reset(::open(folder.file("no-socket").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  fresh.response_head = kHead;
  hub_->connect(std::move(fresh));
  EXPECT_TRUE(eventually([&] { return closed_for("refused") == 1; }));
  EXPECT_EQ(metrics_.snapshot()["sse_streams_opened_total{service=\"hr\"}"], 1);
  EXPECT_EQ(hub_->connections(), 0u);
  EXPECT_EQ(hub_->sockets(), 0u);
  // Nobody waits for it any more: neither other nodes nor the application.
  EXPECT_EQ(delegate_.left(), 1);
  EXPECT_THAT(watcher.story(), ElementsAre("refused 1"));
  // The next one is none the worse.
  const Page page = open_user("1");
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "x"), ElementsAre(1));
  EXPECT_THAT(watcher.story(), ElementsAre("refused 1", "connected 1"));
  for (const auto& loop : loops_) loop->stop();
  hub_.reset();  // before its observer
}

TEST_F(HubTest, GivesIdsThatGrow) {
  start();
  ConnectionId last;
  for (int i = 0; i < 5; ++i) {
    const Page page = open_user(std::to_string(i));
    EXPECT_GT(page.id, last);
    last = page.id;
  }
}

TEST_F(HubTest, FindsEveryUserOnTheLoopThatHasIt) {
  start(4);
  std::vector<Page> pages;
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) {
    names.push_back("user-" + std::to_string(i));
    pages.push_back(open_user(names.back()));
  }
  for (int i = 0; i < 60; ++i) {
    const std::string data = "only " + std::to_string(i);
    EXPECT_THAT(deliver(TargetKind::kUser, {names[static_cast<std::size_t>(i)]}, data), ElementsAre(1));
  }
  EXPECT_EQ(deliver(TargetKind::kUser, names, "last"), std::vector<std::uint32_t>(60, 1));
  for (int i = 0; i < 60; ++i) {
    const std::string got = pages[static_cast<std::size_t>(i)].until("last");
    EXPECT_EQ(times(got, "data:only "), 1U);
    EXPECT_THAT(got, HasSubstr("data:only " + std::to_string(i) + "\n\n"));
  }
  EXPECT_EQ(hub_->connections(), 60U);
  EXPECT_EQ(hub_->users(), 60U);
}

TEST_F(HubTest, DeliversByUserTokenTenantChannelAndToAll) {
  start();
  Page a = open({.user = "a", .tenant = "t", .token = "k1", .channel = "c"});
  Page b = open({.user = "b", .tenant = "t", .token = "k2"});
  Page b2 = open({.user = "b", .tenant = "t", .token = "k2"});
  Page none = open({});
  EXPECT_THAT(deliver(TargetKind::kUser, {"b", "a", "nobody"}, "users"), ElementsAre(2, 1, 0));
  EXPECT_THAT(deliver(TargetKind::kToken, {"k2", "k1"}, "tokens"), ElementsAre(2, 1));
  EXPECT_THAT(deliver(TargetKind::kTenant, {"t", "u"}, "tenants"), ElementsAre(3, 0));
  EXPECT_THAT(deliver(TargetKind::kChannel, {"c"}, "channel"), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "all"), ElementsAre(4));
  const auto data_of = [](Page& page) {
    const std::string all = page.until("all");
    std::string list;
    for (const char* name : {"users", "tokens", "tenants", "channel", "all"}) {
      if (times(all, std::string("data:") + name + "\n\n") == 1) list += std::string(list.empty() ? "" : " ") + name;
    }
    return list;
  };
  EXPECT_EQ(data_of(a), "users tokens tenants channel all");
  EXPECT_EQ(data_of(b), "users tokens tenants all");
  EXPECT_EQ(data_of(b2), "users tokens tenants all");
  EXPECT_EQ(data_of(none), "all");
}

TEST_F(HubTest, DeliversWithoutWaitingAndTellsOnceFromAllLoops) {
  start();
  Page a = open({.user = "a", .channel = "c"});
  Page b = open({.user = "b"});
  const auto soon = [&](const Target& target, const std::string& data) {
    std::promise<std::vector<std::uint32_t>> told;
    hub_->deliver_async(target, "news", frame(data), [&](const Target& to, const std::vector<std::uint32_t>& taken) {
      EXPECT_EQ(to.names, target.names);
      told.set_value(taken);
    });
    return told.get_future().get();
  };
  EXPECT_THAT(soon({TargetKind::kUser, {"b", "a", "nobody"}, false}, "users"), ElementsAre(1, 1, 0));
  EXPECT_THAT(soon({TargetKind::kChannel, {"c", "d"}, false}, "channel"), ElementsAre(1, 0));
  EXPECT_THAT(soon({TargetKind::kUser, {"a"}, true}, "listening"), ElementsAre(0));
  EXPECT_THAT(soon(Target::all(), "all"), ElementsAre(2));
  EXPECT_EQ(times(a.until("all"), "data:users\n"), 1U);
  EXPECT_EQ(times(b.until("all"), "data:channel\n"), 0U);
}

TEST_F(HubTest, GivesABatchInItsOrderWithoutWaitingAndTellsWhatWasTaken) {
  start();
  Page a = open({.user = "a", .channel = "c"});
  Page b = open({.user = "b"});
  const Target user{TargetKind::kUser, {"b", "nobody"}, false};
  const Target channel{TargetKind::kChannel, {"c"}, false};
  const Target all = Target::all();
  std::promise<std::vector<std::vector<std::uint32_t>>> told;
  hub_->start_delivery(
      {{user, "news", frame("1"), {}}, {channel, "news", frame("2"), {}}, {all, "news", frame("3"), {}}},
      [&](std::vector<std::vector<std::uint32_t>> taken) { told.set_value(std::move(taken)); });
  EXPECT_THAT(told.get_future().get(), ElementsAre(ElementsAre(1, 0), ElementsAre(1), ElementsAre(2)));
  EXPECT_THAT(a.until("3"), HasSubstr("data:2\n\ndata:3\n\n"));
  EXPECT_THAT(b.until("3"), HasSubstr("data:1\n\ndata:3\n\n"));
  // Nobody could take it: told all the same.
  std::promise<std::size_t> none;
  hub_->start_delivery({}, [&](const std::vector<std::vector<std::uint32_t>>& taken) { none.set_value(taken.size()); });
  EXPECT_EQ(none.get_future().get(), 0U);
}

TEST_F(HubTest, WritesEverythingIntoAChunkedStreamAsChunks) {
  options_.heartbeat = milliseconds(50);
  start();
  Page page = open({.user = "1", .chunked = true, .marks = true});
  EXPECT_THAT(page.client.received(), HasSubstr("\nevent:connect-finish\n"));
  deliver(TargetKind::kUser, {"1"}, "one");
  hub_->deliver(Target::user(UserId("1")), "news", frame("message", 7));
  EXPECT_THAT(page.until("message"), HasSubstr("data:one\n\nevent:sse-qos\ndata:\n\ndata:message\n\n"));
  for (int i = 0; i < 5; ++i) {
    clock_.advance(milliseconds(50));
    settle();
  }
  EXPECT_TRUE(page.client.receive_until("\n\n:\n\n"));  // a heartbeat
  Page plain = open_user("1");
  deliver(TargetKind::kUser, {"1"}, "both");
  EXPECT_THAT(page.until("both"), HasSubstr("data:both\n\n"));
  EXPECT_THAT(plain.until("both"), HasSubstr("data:both\n\n"));
}

// Without its last chunk a client has to take the stream for broken (RFC 9112 §8).
TEST_F(HubTest, EndsTheBodyOfAChunkedStreamThatItEndsOnPurpose) {
  options_.heartbeat = milliseconds(200);
  options_.client_max_connections = 1;
  start();
  Page closed = open({.user = "1", .chunked = true});
  Page said_goodbye = open({.user = "2", .chunked = true});
  Page replaced = open({.user = "3", .query = "clientId=c", .chunked = true});
  Page replacing = open({.user = "3", .query = "clientId=c", .chunked = true});
  Page over = open({.user = "4", .keepalive = milliseconds(1), .chunked = true});
  Page sent_away = open({.user = "5", .chunked = true});
  hub_->close({closed.id});
  EXPECT_TRUE(hub_->disconnect(said_goodbye.id, {UserId("2")}));
  hub_->close_for_reconnect({sent_away.id}, milliseconds(10));
  clock_.advance(milliseconds(500));
  settle();
  Page drained = open({.user = "6", .chunked = true});
  hub_->drain();
  for (Page* page : {&closed, &said_goodbye, &replaced, &replacing, &over, &sent_away, &drained}) {
    EXPECT_TRUE(page->client.receive_all(clock_));
    EXPECT_TRUE(page->client.chunks().complete()) << page->client.received();
  }
  EXPECT_THAT(closed.client.received(), HasSubstr("event:connect-close\n"));
  EXPECT_THAT(over.client.received(), Not(HasSubstr("event:connect-close\n")));
}

TEST_F(HubTest, LeavesTheBodyOfASlowChunkedStreamUnfinished) {
  options_.stream.max_backlog = 64 * 1024;
  start();
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096, .chunked = true});
  while (hub_->connections() == 1) deliver(TargetKind::kUser, {"1"}, std::string(16 * 1024, 'x'));
  slow.client.receive_all();
  EXPECT_FALSE(slow.client.chunks().complete());
}

TEST_F(HubTest, EndsAStreamWithItsToken) {
  options_.heartbeat = milliseconds(200);
  start();
  Page token = open({.user = "1", .keepalive = milliseconds(1), .with_token = true});
  Page keepalive = open({.user = "2", .keepalive = milliseconds(1)});
  EXPECT_TRUE(token.client.receive_all(clock_));
  EXPECT_TRUE(keepalive.client.receive_all(clock_));
  ASSERT_TRUE(eventually([&] { return hub_->recently_closed().size() == 2; }));
  for (const ClosedConnection& closed : hub_->recently_closed()) {
    EXPECT_EQ(net::reason_name(closed.reason), closed.user.str() == "1" ? "token-expired" : "keepalive");
  }
  EXPECT_EQ(closed_for("token-expired"), 1);
  EXPECT_EQ(closed_for("keepalive"), 1);
}

TEST_F(HubTest, TurnsAClientAwayOnceForEachStreamItClosed) {
  start();
  const auto comes_back = [&](const std::string& user, const std::string& query, const std::string& last_event_id) {
    NewConnection request;
    request.identity.user = UserId(user);
    request.attributes.query = query;
    request.last_event_id = last_event_id;
    return hub_->was_closed_by_server(request);
  };
  Page one = open({.user = "1", .query = "clientId=c"});
  Page two = open({.user = "1", .query = "clientId=c"});
  Page other = open({.user = "1", .query = "clientId=d"});
  EXPECT_FALSE(comes_back("1", "clientId=c", ""));
  EXPECT_EQ(hub_->close({one.id, two.id}), 2U);
  EXPECT_FALSE(comes_back("2", "clientId=c", ""));
  EXPECT_FALSE(comes_back("1", "clientId=d", ""));
  EXPECT_TRUE(comes_back("1", "clientId=c", ""));
  EXPECT_TRUE(comes_back("1", "clientId=c", "17"));
  EXPECT_FALSE(comes_back("1", "clientId=c", ""));
  // With a clientId the event is as it always was.
  ASSERT_TRUE(one.client.receive_until("event:connect-close\n"));
  EXPECT_THAT(one.client.received(), HasSubstr("\n\nevent:connect-close\n"));

  // Without one it gives the client an id to come back with.
  Page plain = open_user("3");
  EXPECT_EQ(hub_->close(Target::user(UserId("3"))), 1U);
  ASSERT_TRUE(plain.client.receive_until("\nevent:connect-close\n"));
  const std::string all = plain.client.received();
  const std::size_t at = all.rfind("id:") + 3;
  const std::string id = all.substr(at, all.find('\n', at) - at);
  EXPECT_NE(id, plain.id.str());
  EXPECT_FALSE(comes_back("3", "", plain.id.str()));
  EXPECT_FALSE(comes_back("3", "", ""));
  EXPECT_TRUE(comes_back("3", "", id));
  EXPECT_FALSE(comes_back("3", "", id));

  // Clients that know connect-close stay away by themselves; those that left or were replaced may come back.
  Page module = open({.user = "4", .query = "clientId=c&clientVersion=1.0"});
  EXPECT_EQ(hub_->close({module.id}), 1U);
  EXPECT_FALSE(comes_back("4", "clientId=c&clientVersion=1.0", ""));
  Page left = open({.user = "5", .query = "clientId=c"});
  EXPECT_TRUE(hub_->disconnect(left.id, {UserId("5")}));
  hub_->replace({open({.user = "5", .query = "clientId=c"}).id});
  EXPECT_FALSE(comes_back("5", "clientId=c", ""));
}

TEST_F(HubTest, KnowsClientsThatComeBackFromTheEndOfTheirTime) {
  options_.heartbeat = milliseconds(200);
  start();
  const auto renewed = [&](const std::string& user, const std::string& query, const std::string& last_event_id) {
    NewConnection request;
    request.identity.user = UserId(user);
    request.attributes.query = query;
    request.last_event_id = last_event_id;
    return hub_->is_renewed(request);
  };
  Page plain = open({.user = "1", .keepalive = milliseconds(1)});
  Page page = open({.user = "2", .query = "clientId=c&clientInstanceId=1", .keepalive = milliseconds(1)});
  EXPECT_TRUE(plain.client.receive_all(clock_));
  EXPECT_TRUE(page.client.receive_all(clock_));
  // A plain client gets an id to come back with: a block that is no event.
  const std::string all = plain.client.received();
  EXPECT_THAT(all, MatchesRegex("(.|\n|\r)*\n\nid:[0-9]+\n\n"));
  const std::size_t at = all.rfind("id:") + 3;
  const std::string id = all.substr(at, all.find('\n', at) - at);
  EXPECT_FALSE(renewed("1", "", plain.id.str()));
  EXPECT_TRUE(renewed("1", "", id));
  EXPECT_FALSE(renewed("1", "", id));
  EXPECT_EQ(times(page.client.received(), "id:"), 1U);
  EXPECT_FALSE(renewed("2", "clientId=c&clientInstanceId=2", "5"));
  EXPECT_TRUE(renewed("2", "clientId=c&clientInstanceId=1", "5"));
  Page closed = open({.user = "3", .query = "clientId=c"});
  hub_->close({closed.id});
  EXPECT_FALSE(renewed("3", "clientId=c", "5"));
}

TEST_F(HubTest, GivesABroadcastToManyStreams) {
  start(2);
  std::vector<Page> pages;
  for (int i = 0; i < 300; ++i) pages.push_back(open({.user = std::to_string(i), .chunked = i % 3 != 0}));
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "one"), ElementsAre(300));
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "two"), ElementsAre(300));
  for (Page& page : pages) EXPECT_THAT(page.until("two"), HasSubstr("data:one\n\ndata:two\n\n"));
}

TEST_F(HubTest, TellsEachWhenToComeBackAndSpreadsThemOverTheJitter) {
  options_.reconnect_time = milliseconds(1000);
  options_.reconnect_jitter = milliseconds(1000);
  start(2);
  std::vector<int> in_quarter(4);
  for (int i = 0; i < 200; ++i) {
    const Page page = open_user(std::to_string(i));
    const std::string& got = page.client.received();
    const int retry = std::stoi(got.substr(got.find("retry:") + 6));
    ASSERT_GE(retry, 1000);
    ASSERT_LE(retry, 2000);
    EXPECT_THAT(got, HasSubstr("\"reconnectTime\":" + std::to_string(retry) + ","));
    ++in_quarter.at(static_cast<std::size_t>(std::min(retry - 1000, 999)) / 250);
  }
  for (const int n : in_quarter) EXPECT_GT(n, 20);
}

TEST_F(HubTest, RemembersWhyStreamsEnded) {
  start();
  const Page first = open({.user = "1", .tenant = "t"});
  Page second = open_user("2");
  EXPECT_THAT(hub_->recently_closed(), IsEmpty());
  deliver(TargetKind::kUser, {"1"}, "one");
  hub_->close({first.id});
  second.client.close();
  ASSERT_TRUE(eventually([&] { return hub_->recently_closed().size() == 2; }));
  auto closed = hub_->recently_closed();
  if (closed[0].id == second.id) std::swap(closed[0], closed[1]);  // they may have ended in the same millisecond
  EXPECT_EQ(closed[0].id, first.id);
  EXPECT_EQ(closed[0].user.str(), "1");
  EXPECT_EQ(closed[0].tenant.str(), "t");
  EXPECT_EQ(closed[0].reason, net::CloseReason::kServerClosed);
  EXPECT_EQ(closed[0].messages, 3U);
  EXPECT_EQ(closed[0].backlog_bytes, 0U);
  EXPECT_GE(closed[0].closed, closed[0].created);
  EXPECT_EQ(closed[1].id, second.id);
  EXPECT_EQ(closed[1].reason, net::CloseReason::kClientClosed);
}

TEST_F(HubTest, KnowsWhatAllItsStreamsOwe) {
  options_.stream.max_backlog = 256 * 1024;
  start();
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  EXPECT_TRUE(eventually([&] { return hub_->backlog_bytes() == 0; }));
  const std::string data(16 * 1024, 'x');
  while (hub_->backlog_bytes() < 64 * 1024) deliver(TargetKind::kUser, {"1"}, data);
  EXPECT_TRUE(eventually([&] { return hub_->backlog_bytes() == hub_->describe(slow.id)->backlog_bytes; }));
  // Over its cap it is closed, owes no more, and it can be seen what it owed.
  while (hub_->connections() == 1) deliver(TargetKind::kUser, {"1"}, data);
  ASSERT_TRUE(eventually([&] { return hub_->recently_closed().size() == 1; }));
  EXPECT_EQ(hub_->recently_closed()[0].reason, net::CloseReason::kSlowConsumer);
  EXPECT_GT(hub_->recently_closed()[0].backlog_bytes, 128U * 1024);
  EXPECT_LE(hub_->recently_closed()[0].backlog_bytes, 256U * 1024);
  EXPECT_TRUE(eventually([&] { return hub_->backlog_bytes() == 0; }));
}

TEST_F(HubTest, CountsOnlyThoseWhoListenWhenAsked) {
  start();
  Page listens = open({.user = "1", .listeners = {"news", "weather"}});
  Page other = open({.user = "1", .listeners = {"weather"}});
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "for listeners", true), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "for listeners too", true), ElementsAre(1));
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "for both"), ElementsAre(2));
  EXPECT_THAT(listens.until("for both"), HasSubstr("data:for listeners too\n\n"));
  EXPECT_THAT(other.until("for both"), Not(HasSubstr("for listeners")));
}

TEST_F(HubTest, ChangesListenersAndSaysWhatIsListenedToNow) {
  start();
  const Page page = open({.user = "1", .listeners = {"a"}});
  const Identity owner{UserId("1")};
  EXPECT_THAT(*hub_->change_listeners(page.id, owner, {"b", "a", "c"}, true), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*hub_->change_listeners(page.id, owner, {"a", "x"}, false), ElementsAre("b", "c"));
  EXPECT_THAT(hub_->describe(page.id)->listeners, ElementsAre("b", "c"));
  EXPECT_TRUE(hub_->describe(page.id)->last_request.has_value());
  // Asked only for the names that were new, from the beginning.
  const auto requests = delegate_.requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[1].only_events, ElementsAre("b", "c"));
  EXPECT_EQ(requests[1].after, MessageId());
}

TEST_F(HubTest, TreatsSomeoneElsesConnectionAsUnknown) {
  start();
  Page page = open_user("1");
  for (const std::string stranger : {"2", "", "11"}) {
    EXPECT_EQ(hub_->change_listeners(page.id, {UserId(stranger)}, {"b"}, true), std::nullopt);
    EXPECT_FALSE(hub_->note_request(page.id, {UserId(stranger)}, Hub::Request::kMessage).has_value());
    EXPECT_FALSE(hub_->disconnect(page.id, {UserId(stranger)}));
  }
  EXPECT_FALSE(hub_->disconnect(ConnectionId(), {UserId("1")}));
  EXPECT_FALSE(hub_->disconnect(ConnectionId(page.id.value() + 1), {UserId("1")}));
  EXPECT_FALSE(hub_->describe(ConnectionId(1)).has_value());
  deliver(TargetKind::kAll, {}, "still here");
  EXPECT_THAT(page.until("still here"), HasSubstr("still here"));
  EXPECT_THAT(hub_->describe(page.id)->listeners, IsEmpty());
}

TEST_F(HubTest, TakesTheSameUserOfAnotherTenantForSomeoneElse) {
  start();
  Page page = open({.user = "1", .tenant = "acme"});
  for (const std::string tenant : {"", "other"}) {
    const Identity stranger{UserId("1"), TenantId(tenant)};
    EXPECT_EQ(hub_->change_listeners(page.id, stranger, {"b"}, true), std::nullopt);
    EXPECT_FALSE(hub_->note_request(page.id, stranger, Hub::Request::kMessage).has_value());
    EXPECT_EQ(hub_->acknowledge(page.id, stranger, {MessageId(1)}), std::nullopt);
    EXPECT_FALSE(hub_->disconnect(page.id, stranger));
  }
  EXPECT_TRUE(hub_->note_request(page.id, {UserId("1"), TenantId("acme")}, Hub::Request::kMessage).has_value());
  EXPECT_TRUE(hub_->disconnect(page.id, {UserId("1"), TenantId("acme")}));
}

TEST_F(HubTest, ReachesAndClosesAUserOfOneTenant) {
  start();
  Page acme = open({.user = "1", .tenant = "acme"});
  Page other = open({.user = "1", .tenant = "other"});
  const std::string name = event::member_name("1", "acme");
  EXPECT_THAT(deliver(TargetKind::kMember, {name, event::member_name("2", "acme")}, "for acme"), ElementsAre(1, 0));
  EXPECT_THAT(acme.until("for acme"), HasSubstr("for acme"));
  std::vector<DeliveryState> places{{TargetKind::kMember, name, MessageId(1), "e"},
                                    {TargetKind::kMember, event::member_name("1", "third"), MessageId(1), "e"}};
  hub_->find_delivery_states(places);
  EXPECT_EQ(places[0].state, DeliveryState::State::kWaiting);
  EXPECT_EQ(places[1].state, DeliveryState::State::kOffline);
  EXPECT_EQ(hub_->close(event::Target{TargetKind::kMember, {name}, false}), 1U);
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "for both"), ElementsAre(1));
  EXPECT_THAT(other.until("for both"), Not(HasSubstr("for acme")));
}

TEST_F(HubTest, CountsWhatAPageSends) {
  start();
  const Page page = open_user("1");
  EXPECT_FALSE(hub_->describe(page.id)->last_request.has_value());
  hub_->note_request(page.id, {UserId("1")}, Hub::Request::kMessage);
  hub_->note_request(page.id, {UserId("1")}, Hub::Request::kMessage);
  const auto info = hub_->note_request(page.id, {UserId("1")}, Hub::Request::kUpload);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->request_messages, 2U);
  EXPECT_EQ(info->request_uploads, 1U);
  EXPECT_TRUE(info->last_request.has_value());
}

TEST_F(HubTest, DescribesAConnection) {
  start();
  const Page page = open({.user = "u",
                          .tenant = "t",
                          .token = "k",
                          .channel = "c",
                          .listeners = {"b", "a"},
                          .query = "clientId=x",
                          .keepalive = milliseconds(60'000)});
  deliver(TargetKind::kUser, {"u"}, "one");
  ASSERT_TRUE(eventually([&] { return hub_->describe(page.id)->backlog_bytes == 0; }));
  const auto info = hub_->describe(page.id);
  EXPECT_EQ(info->identity.user.str(), "u");
  EXPECT_EQ(info->identity.tenant.str(), "t");
  EXPECT_EQ(info->identity.token.str(), "k");
  EXPECT_EQ(info->channel.str(), "c");
  EXPECT_THAT(info->listeners, ElementsAre("a", "b"));
  EXPECT_EQ(info->attributes.query, "clientId=x");
  EXPECT_EQ(info->keepalive, milliseconds(60'000));
  EXPECT_EQ(info->messages, 2U);
  EXPECT_GT(info->bytes_sent, 0U);
}

TEST_F(HubTest, FindsByWhatIsAsked) {
  start();
  const Page a = open({.user = "a", .tenant = "t", .token = "k1", .channel = "c", .query = "clientId=one"});
  const Page b = open({.user = "b", .tenant = "t", .listeners = {"news"}, .query = "clientId=two"});
  const Page none = open({});
  const auto find = [&](ConnectionFilter filter) { return hub::find(*hub_, filter); };
  EXPECT_THAT(find({}), ElementsAre(a.id, b.id, none.id));
  EXPECT_THAT(find({.user = UserId("a")}), ElementsAre(a.id));
  EXPECT_THAT(find({.tenant = TenantId("t")}), ElementsAre(a.id, b.id));
  EXPECT_THAT(find({.user = UserId("a"),
                    .tenant = TenantId("t"),
                    .token = AccessToken("k1"),
                    .channel = ChannelName("c"),
                    .client = "one"}),
              ElementsAre(a.id));
  EXPECT_THAT(find({.user = UserId("a"), .tenant = TenantId("x")}), IsEmpty());
  EXPECT_THAT(find({.token = AccessToken("k1"), .channel = ChannelName("x")}), IsEmpty());
  EXPECT_THAT(find({.listening = "news"}), ElementsAre(b.id));
  EXPECT_THAT(find({.client = "two"}), ElementsAre(b.id));
  EXPECT_THAT(hub_->describe({none.id, ConnectionId(1), a.id}), SizeIs(2));
  EXPECT_THAT(hub_->names(TargetKind::kUser), ElementsAre("a", "b"));
  EXPECT_THAT(hub_->names(TargetKind::kTenant), ElementsAre("t"));
}

// Fifty at a time of ten thousand sorted all of them two hundred times.
TEST_F(HubTest, ListsItsStreamsOnceForThoseWhoTakeThemInTurn) {
  start(2);
  std::vector<Page> pages;
  for (int i = 0; i < 100; ++i) pages.push_back(open_user(std::to_string(i)));
  ConnectionIterator turn(*hub_);
  const std::uint64_t before = steps();
  std::vector<ConnectionId> seen;
  while (seen.size() < pages.size()) {
    const std::vector<ConnectionId> some = turn.next(3);
    ASSERT_THAT(some, Not(IsEmpty()));
    seen.insert(seen.end(), some.begin(), some.end());
    EXPECT_EQ(hub_->close_for_reconnect(some, milliseconds(10)), some.size());
    EXPECT_EQ(hub_->close_for_reconnect(some, milliseconds(10)), 0U) << "they are on their way";
  }
  for (std::size_t i = 0; i < pages.size(); ++i) EXPECT_EQ(seen[i], pages[i].id) << "the oldest first";
  EXPECT_LE(steps() - before, 100 * 6U);
  EXPECT_THAT(turn.next(3), IsEmpty());
  const Page later = open_user("later");
  EXPECT_THAT(turn.next(3), ElementsAre(later.id));
}

TEST_F(HubTest, SaysGoodbyeWhenTheServerCloses) {
  start();
  Page page = open_user("1");
  Page other = open_user("2");
  EXPECT_EQ(hub_->close({page.id, ConnectionId(1)}), 1U);
  EXPECT_EQ(hub_->close({page.id}), 0U);
  page.client.take();
  EXPECT_TRUE(page.client.receive_all(clock_));
  EXPECT_THAT(page.client.received(),
              MatchesRegex("id:[0-9]+\nevent:connect-close\ndata:.\"connectionId\":\"" + page.id.str() + "\".\n\n"));
  EXPECT_EQ(hub_->connections(), 1U);
  page.client.close();
  EXPECT_TRUE(eventually([&] { return hub_->sockets() == 1; }));
  EXPECT_EQ(closed_for("server-closed"), 1);
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "on"), ElementsAre(1));
}

TEST_F(HubTest, ClosesByTarget) {
  start();
  Page a = open({.user = "a", .tenant = "t"});
  Page b = open({.user = "b", .tenant = "t"});
  Page c = open({.user = "c", .tenant = "u"});
  EXPECT_EQ(hub_->close(Target{TargetKind::kTenant, {"t", "x"}, false}), 2U);
  EXPECT_TRUE(a.client.receive_all(clock_));
  EXPECT_TRUE(b.client.receive_all(clock_));
  EXPECT_EQ(hub_->close(Target::all()), 1U);
  EXPECT_TRUE(c.client.receive_all(clock_));
}

TEST_F(HubTest, EndsAStreamWhenThePageSaysGoodbye) {
  start();
  Page page = open_user("1");
  page.client.take();
  EXPECT_TRUE(hub_->disconnect(page.id, {UserId("1")}));
  EXPECT_FALSE(hub_->disconnect(page.id, {UserId("1")}));
  EXPECT_TRUE(page.client.receive_all(clock_));
  EXPECT_EQ(page.client.received(), "event:connect-close\ndata:{\"connectionId\":\"" + page.id.str() + "\"}\n\n");
  EXPECT_EQ(closed_for("disconnect"), 1);
}

TEST_F(HubTest, NoticesThatAPageLeft) {
  start();
  Page finished = open_user("1");
  Page reset = open_user("1");
  finished.client.close();
  reset.client.reset();
  EXPECT_TRUE(eventually([&] { return hub_->connections() == 0 && hub_->sockets() == 0; }));
  EXPECT_EQ(hub_->users(), 0U);
  EXPECT_EQ(closed_for("client-closed") + closed_for("connection-lost"), 2);
  EXPECT_EQ(closed_for("connection-lost"), 1);
}

TEST_F(HubTest, KeepsAsManyStreamsOfAClientAsAllowedAndClosesTheOldest) {
  options_.client_max_connections = 3;
  start();
  std::vector<Page> pages;
  for (int i = 0; i < 3; ++i) pages.push_back(open({.user = "1", .query = "a=b&clientId=x"}));
  Page other_client = open({.user = "1", .query = "clientId=y"});
  Page other_tenant = open({.user = "1", .tenant = "t", .query = "clientId=x"});
  Page other_user = open({.user = "2", .query = "clientId=x"});
  EXPECT_EQ(hub_->connections(), 6U);
  pages.push_back(open({.user = "1", .query = "clientId=x"}));
  EXPECT_TRUE(pages[0].client.receive_until("event:connect-close\n"));
  EXPECT_TRUE(pages[0].client.receive_all(clock_));
  EXPECT_TRUE(eventually([&] { return hub_->connections() == 6; }));
  EXPECT_EQ(closed_for("replaced"), 1);
  for (std::size_t i = 1; i < pages.size(); ++i) EXPECT_TRUE(hub_->describe(pages[i].id).has_value()) << i;
}

// A kiosk, or pages whose users nobody tells apart.
TEST_F(HubTest, LooksAtTheNewStreamOnlyHoweverManyTheUserHas) {
  options_.client_max_connections = 3;
  start(1);
  std::vector<Page> pages;
  const auto open_some = [&](int count) {
    const std::uint64_t before = steps();
    for (int i = 0; i < count; ++i) {
      PageOptions who{.user = "kiosk", .query = "clientId=" + std::to_string(pages.size())};
      who.marks = true;
      pages.push_back(open(who));
    }
    return steps() - before;
  };
  open_some(static_cast<int>(2 * ClientIndex::kManyStreams));
  const std::uint64_t first = open_some(50);
  const std::uint64_t second = open_some(50);
  EXPECT_LE(second, first + 50) << "the streams there are make a connect no dearer";
  EXPECT_LE(second, 50 * 8U);
}

TEST_F(HubTest, LimitsAClientOfAUserWithVeryManyStreams) {
  options_.client_max_connections = 2;
  start(1);
  std::vector<Page> pages;
  for (std::size_t i = 0; i < 2 * ClientIndex::kManyStreams; ++i)
    pages.push_back(open({.user = "kiosk", .query = "clientId=" + std::to_string(i / 2)}));
  EXPECT_EQ(hub_->connections(), pages.size());
  const Page third = open({.user = "kiosk", .query = "clientId=5"});
  const Page other_tenant = open({.user = "kiosk", .tenant = "t", .query = "clientId=5"});
  EXPECT_TRUE(pages[10].client.receive_until("event:connect-close\n"));
  EXPECT_TRUE(eventually([&] { return hub_->connections() == pages.size() + 1; }));
  EXPECT_EQ(closed_for("replaced"), 1);
  EXPECT_TRUE(hub_->describe(pages[11].id).has_value());
  const auto found = hub_->connections_of({{"kiosk", "5", "", ""}});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found.front(), ::testing::UnorderedElementsAre(pages[11].id, third.id));
  // Few again: the index goes, and the limit stays.
  for (std::size_t i = 14; i < pages.size(); ++i) pages[i].client.close();
  EXPECT_TRUE(eventually([&] { return hub_->connections() == 15; }));
  const Page fourth = open({.user = "kiosk", .query = "clientId=5"});
  EXPECT_TRUE(pages[11].client.receive_until("event:connect-close\n"));
}

TEST_F(HubTest, DoesNotLimitClientsWithoutAnId) {
  options_.client_max_connections = 1;
  start();
  const Page a = open_user("1");
  const Page b = open_user("1");
  EXPECT_EQ(hub_->connections(), 2U);
}

TEST_F(HubTest, EndsAStreamWithoutGoodbyeWhenItsKeepaliveTimeIsOver) {
  start();
  Page page = open({.user = "1", .keepalive = std::chrono::minutes(10)});
  Page unlimited = open_user("1");
  page.client.take();
  clock_.advance(std::chrono::minutes(9));
  settle();
  EXPECT_EQ(hub_->connections(), 2U);
  EXPECT_TRUE(page.client.receive_all(clock_, std::chrono::seconds(10)));
  EXPECT_THAT(page.client.received(), MatchesRegex("id:[0-9]+\n\n"));  // no event
  EXPECT_EQ(closed_for("keepalive"), 1);
  EXPECT_EQ(hub_->connections(), 1U);
}

TEST_F(HubTest, SendsHeartbeatsOnSilentStreamsOnly) {
  options_.heartbeat = std::chrono::seconds(15);
  start(1);
  Page silent = open_user("silent");
  Page busy = open_user("busy");
  silent.client.take();
  for (int second = 0; second < 60; ++second) {
    deliver(TargetKind::kUser, {"busy"}, "x");
    clock_.advance(std::chrono::seconds(1));
    settle();
  }
  deliver(TargetKind::kUser, {"busy"}, "end");
  deliver(TargetKind::kUser, {"silent"}, "end");
  EXPECT_EQ(times(busy.until("end"), ":\n\n"), 0U);
  const std::string got = silent.until("end");
  EXPECT_GE(times(got, ":\n\n"), 2U);
  EXPECT_LE(times(got, ":\n\n"), 4U);
}

TEST_F(HubTest, ClosesASlowConsumerAndNobodyElse) {
  options_.stream.max_backlog = 50'000;
  start(1);
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  Page healthy = open_user("1");
  const std::string data(5000, 'x');
  int sent = 0;
  while (hub_->describe(slow.id) && sent < 10'000) {
    deliver(TargetKind::kUser, {"1"}, data);
    ++sent;
    ASSERT_TRUE(healthy.client.receive_until("data:"));
    ASSERT_TRUE(healthy.client.receive_until("x\n\n"));
    healthy.client.take();
  }
  EXPECT_LT(sent, 10'000);
  EXPECT_EQ(closed_for("slow-consumer"), 1);
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "end"), ElementsAre(1));
  EXPECT_THAT(healthy.until("end"), HasSubstr("end"));
}

TEST_F(HubTest, LetsASlowConsumerMissEventsIfToldSo) {
  options_.stream.max_backlog = 50'000;
  options_.stream.overflow = net::Stream::Overflow::kDrop;
  start(1);
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  const std::string data(5000, 'x');
  std::vector<std::uint32_t> taken{1};
  for (int i = 0; i < 10'000 && taken.front() == 1; ++i) taken = deliver(TargetKind::kUser, {"1"}, data);
  EXPECT_THAT(taken, ElementsAre(0));
  EXPECT_TRUE(hub_->describe(slow.id).has_value());
  EXPECT_EQ(metrics_.snapshot()["sse_dropped_total{service=\"hr\"}"], 1);
}

TEST_F(HubTest, DrainsWithoutGoodbye) {
  start();
  std::vector<Page> pages;
  for (int i = 0; i < 10; ++i) pages.push_back(open_user(std::to_string(i)));
  for (Page& page : pages) page.client.take();
  deliver(TargetKind::kAll, {}, "last words");
  hub_->drain();
  for (Page& page : pages) {
    EXPECT_TRUE(page.client.receive_all());
    EXPECT_EQ(page.client.received(), "data:last words\n\n");
    page.client.close();
  }
  EXPECT_TRUE(eventually([&] { return hub_->sockets() == 0; }));
  EXPECT_EQ(hub_->connections(), 0U);
  EXPECT_EQ(closed_for("shutdown"), 10);
}

TEST_F(HubTest, ReportsWhatThePeerAcknowledgedUnderTheNameItWasSentTo) {
  start();
  Page page = open({.user = "u", .tenant = "t"});
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("one", 5, TargetKind::kUser));
  hub_->deliver({TargetKind::kTenant, {"t"}, false}, "news", frame("two", 6, TargetKind::kTenant));
  hub_->deliver(Target::all(), "news", frame("three", 7, TargetKind::kAll));
  ASSERT_TRUE(eventually([&] { return delegate_.acknowledgements().size() == 3; }));
  EXPECT_THAT(delegate_.acknowledgements(),
              ElementsAre(std::tuple(TargetKind::kUser, "u", 5), std::tuple(TargetKind::kTenant, "t", 6),
                          std::tuple(TargetKind::kAll, "", 7)));
}

TEST_F(HubTest, LocatesManyMessagesOfALargeGroupInOneLookAtIt) {
  start(2);
  std::vector<Page> pages;
  for (int i = 0; i < 40; ++i)
    pages.push_back(open({.user = std::to_string(i), .tenant = "t", .listeners = {"heard"}}));
  Page confirms = open({.user = "c", .tenant = "t", .marks = true});
  hub_->deliver({TargetKind::kTenant, {"t"}}, "news", frame("x", 7, TargetKind::kTenant));
  const auto cost = [&](std::uint64_t messages, std::vector<DeliveryState>& asked) {
    for (std::uint64_t id = 1; id <= messages; ++id) {
      const bool listening = id % 2 == 0;
      asked.push_back({TargetKind::kTenant, "t", MessageId(id), id % 4 == 0 ? "heard" : "unheard", listening});
    }
    const std::uint64_t before = steps();
    hub_->find_delivery_states(asked);
    return steps() - before;
  };
  std::vector<DeliveryState> few;
  std::vector<DeliveryState> many;
  const std::uint64_t first = cost(100, few);
  EXPECT_LE(cost(400, many), first + 50);
  EXPECT_LE(first, 41 * 6U);
  using State = DeliveryState::State;
  for (const DeliveryState& one : many) {
    const std::uint64_t id = one.message.value();
    const State expected = id == 7 ? State::kInFlight : id % 4 == 2 ? State::kNotListening : State::kWaiting;
    EXPECT_EQ(one.state, expected) << id;
    EXPECT_EQ(one.connection, id == 7 ? confirms.id : ConnectionId()) << id;
  }
  std::vector<DeliveryState> nobody{{TargetKind::kTenant, "u", MessageId(7), "news", false}};
  hub_->find_delivery_states(nobody);
  EXPECT_EQ(nobody.front().state, State::kOffline);
}

// A peer's TCP that acknowledges late, or never, is its own matter.
TEST_F(HubTest, LooksForAcknowledgementsOfTheStreamsItWroteToAndNotOfOthers) {
  start(1);
  std::vector<Page> slow;
  for (int i = 0; i < 60; ++i) slow.push_back(open({.user = "slow", .receive_buffer = 4096}));
  // More than the far end has room for, so that it stays unacknowledged.
  hub_->deliver({TargetKind::kUser, {"slow"}}, "news", frame(std::string(30'000, 'x'), 5000));
  const Page reader = open_user("1");
  const auto cost = [&](int sends) {
    const std::uint64_t before = steps();
    for (int i = 0; i < sends; ++i)
      hub_->deliver({TargetKind::kUser, {"1"}}, "news", frame("x", static_cast<std::uint64_t>(i) + 1));
    return steps() - before;
  };
  cost(1);
  EXPECT_LE(cost(50), 50 * 3U) << "the clock stands still: only what was written to is looked at";
  EXPECT_TRUE(eventually([&] { return delegate_.acknowledgements().size() >= 51; }));
}

TEST_F(HubTest, ReportsWhatIsAcknowledgedWhileAStreamIsBeingEnded) {
  options_.stream.max_backlog = 10 * 1024 * 1024;
  start(1);
  Page page = open({.user = "u", .send_buffer = 4096, .receive_buffer = 4096});
  deliver(TargetKind::kUser, {"u"}, std::string(1'000'000, 'x'));
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("kept", 5));
  EXPECT_EQ(hub_->close({page.id}), 1U);
  EXPECT_THAT(delegate_.acknowledgements(), IsEmpty());
  EXPECT_TRUE(page.client.receive_until("data:kept\n\n"));
  EXPECT_TRUE(page.client.receive_all(clock_));
  EXPECT_TRUE(eventually([&] { return delegate_.acknowledgements().size() == 1; }));
  EXPECT_THAT(delegate_.acknowledgements(), ElementsAre(std::tuple(TargetKind::kUser, "u", 5)));
}

// Replays, answered by the test instead of a repository.
class HubReplayTest : public HubTest {
 protected:
  ReplayRequest wait_request(std::size_t number) {
    EXPECT_TRUE(eventually([&] { return delegate_.requests().size() >= number; }));
    return delegate_.requests().at(number - 1);
  }
  static ReplayFrame item(const std::string& data, std::uint64_t message, bool listening = false) {
    return {frame(data, message), "news", listening};
  }
};

TEST_F(HubReplayTest, AsksForEverythingTheConnectionMayReceive) {
  delegate_.answer(true);
  start();
  const Page page = open({.user = "u", .tenant = "t", .token = "k", .channel = "c"});
  const ReplayRequest request = wait_request(1);
  EXPECT_EQ(request.connection, page.id);
  EXPECT_EQ(request.after, MessageId());
  EXPECT_THAT(request.only_events, IsEmpty());
  EXPECT_THAT(request.recipients, ElementsAre(std::pair(TargetKind::kUser, "u"), std::pair(TargetKind::kToken, "k"),
                                              std::pair(TargetKind::kTenant, "t"), std::pair(TargetKind::kChannel, "c"),
                                              std::pair(TargetKind::kAll, ""), std::pair(TargetKind::kMember, "1:ut")));
}

TEST_F(HubReplayTest, PutsLiveEventsBehindTheReplayedOnes) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(deliver(TargetKind::kUser, {"u"}, "live"), ElementsAre(1));
  hub_->replay(first, {item("old 1", 1), item("old 2", 2)}, MessageId(2), false);
  const ReplayRequest second = wait_request(2);
  EXPECT_EQ(second.after, MessageId(2));
  hub_->replay(second, {item("old 3", 3)}, MessageId(3), true);
  const std::string got = page.until("live");
  EXPECT_THAT(got, ::testing::EndsWith("data:old 1\n\ndata:old 2\n\ndata:old 3\n\ndata:live\n\n"));
}

TEST_F(HubReplayTest, HoldsWhatWasCommittedMeanwhileAndDropsDoubles) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  // Committed and delivered while the page was read: the reader saw 2 and not 3.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("two", 2));
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("three", 3));
  hub_->replay(first, {item("one", 1), item("two", 2)}, MessageId(2), true);
  // Committed before the page was read, and delivered after.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("one", 1));
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("four", 4));
  EXPECT_THAT(page.until("four"), ::testing::EndsWith("data:one\n\ndata:two\n\ndata:three\n\ndata:four\n\n"));
}

// Nodes of a mesh give ids by their own clocks: this one's is behind that of the node whose message the store had.
TEST_F(HubReplayTest, GivesALiveMessageWhoseIdIsSmallerThanWhatTheStoreHad) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("while it was read", 5)), ElementsAre(1));
  hub_->replay(first, {item("from the store", 100)}, MessageId(100), true);
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("later", 6)), ElementsAre(1));
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("from the store", 100)), ElementsAre(1));
  deliver(TargetKind::kUser, {"u"}, "end");
  EXPECT_THAT(page.until("end"), ::testing::EndsWith("data:from the store\n\ndata:while it was read\n\ndata:later\n\n"
                                                     "data:end\n\n"));
}

TEST_F(HubReplayTest, LooksFromTheStartInAClusterAndGivesWhatItHasNotGiven) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .send_buffer = 4096, .receive_buffer = 4096});
  hub_->replay(wait_request(1), {item("from the store", 100)}, MessageId(100), true);
  ASSERT_THAT(page.until("from the store"), HasSubstr("from the store"));
  // Its peer reads nothing from here on, so that this one is not acknowledged.
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live" + std::string(500'000, 'x'), 200));
  hub_->refresh_pending();
  const ReplayRequest again = wait_request(2);
  EXPECT_EQ(again.after, MessageId());
  hub_->replay(
      again,
      {item("of a node that was away", 7), item("from the store", 100), item("live" + std::string(500'000, 'x'), 200)},
      MessageId(200), true);
  deliver(TargetKind::kUser, {"u"}, "end");
  const std::string got = page.until("end");
  EXPECT_EQ(times(got, "data:of a node that was away\n"), 1U);
  EXPECT_EQ(times(got, "data:from the store\n"), 1U);
  EXPECT_EQ(times(got, "data:live"), 1U);
}

// Pages are read while a confirmation is on its way into the store.
TEST_F(HubReplayTest, DoesNotGiveAgainWhatTheClientConfirmsWhileTheStoreIsRead) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .marks = true});
  hub_->replay(wait_request(1), {}, MessageId(1), true);
  deliver(TargetKind::kUser, {"u"}, "begin");
  page.until("begin");
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live", 5));
  page.until("live");
  hub_->refresh_pending();
  const ReplayRequest again = wait_request(2);
  EXPECT_EQ(hub_->acknowledge(page.id, {UserId("u")}, {MessageId(5)}), 1U);
  hub_->replay(again, {item("live", 5), item("more", 6)}, MessageId(6), true);
  EXPECT_EQ(times(page.until("more"), "data:live\n"), 1U);
}

// The confirmation may have been lost, with a node that has been killed: nobody else would tell the store again.
TEST_F(HubReplayTest, DoesNotGiveAgainWhatTheClientHasJustConfirmedAndSaysSoAgain) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .marks = true});
  hub_->replay(wait_request(1), {}, MessageId(1), true);
  hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("live", 5));
  page.until("live");
  EXPECT_EQ(hub_->acknowledge(page.id, {UserId("u")}, {MessageId(5)}), 1U);
  hub_->refresh_pending();
  hub_->replay(wait_request(2), {item("live", 5), item("more", 6)}, MessageId(6), true);
  EXPECT_EQ(times(page.until("more"), "data:live\n"), 1U);
  EXPECT_THAT(delegate_.acknowledgements_before(), ElementsAre(std::make_tuple(TargetKind::kUser, "u", 5U)));
}

// It was in the store when the recipient's other stream confirmed it, and no more when this one read it.
TEST_F(HubReplayTest, GivesWhatItCountedAlthoughAnotherStreamHasConfirmedIt) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest first = wait_request(1);
  EXPECT_THAT(hub_->deliver({TargetKind::kUser, {"u"}, false}, "news", frame("counted", 5)), ElementsAre(1));
  hub_->replay(first, {item("younger", 6)}, MessageId(6), true);
  EXPECT_THAT(page.until("counted"), ::testing::EndsWith("data:younger\n\ndata:counted\n\n"));
}

// What has no room is looked for in the store, which may have it no more: another person of the tenant has confirmed
// it.
TEST_F(HubReplayTest, CountsAMessageOnlyWhereItIsGivenEvenIfSomebodyElseConfirmsIt) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start();
  Page page = open({.user = "u", .tenant = "t"});
  const ReplayRequest first = wait_request(1);
  std::uint64_t counted = 0;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    const event::FrameRef message = frame("m" + std::to_string(id) + std::string(1000, 'x'), id, TargetKind::kTenant);
    counted += hub_->deliver({TargetKind::kTenant, {"t"}, false}, "news", message).front();
  }
  EXPECT_GT(counted, 0U);
  EXPECT_LT(counted, 20U);
  hub_->replay(first, {}, MessageId(20), true);
  hub_->replay(wait_request(2), {}, MessageId(20), true);
  EXPECT_TRUE(eventually([&] { return deliver(TargetKind::kUser, {"u"}, "end") == std::vector<std::uint32_t>{1}; }));
  const std::string got = page.until("end");
  EXPECT_EQ(times(got, "data:m"), counted);
}

TEST_F(HubReplayTest, GivesWhatCouldBeReadAndAsksAgainForTheRest) {
  options_.in_cluster = true;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  hub_->replay(wait_request(1), {item("of this node", 2)}, MessageId(2), true, true);
  EXPECT_THAT(page.until("of this node"), HasSubstr("data:of this node"));
  hub_->replay(wait_request(2), {item("of the other", 1), item("of this node", 2)}, MessageId(2), true);
  EXPECT_THAT(page.until("of the other"), ::testing::EndsWith("data:of this node\n\ndata:of the other\n\n"));
  deliver(TargetKind::kUser, {"u"}, "end");
  EXPECT_EQ(times(page.until("end"), "data:of this node"), 1U);
}

TEST_F(HubReplayTest, GivesListeningMessagesOnlyToThoseWhoListen) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  hub_->replay(wait_request(1), {item("hidden", 1, true), item("shown", 2)}, MessageId(2), true);
  ASSERT_THAT(page.until("shown"), Not(HasSubstr("hidden")));
  hub_->change_listeners(page.id, {UserId("u")}, {"news"}, true);
  const ReplayRequest request = wait_request(2);
  EXPECT_THAT(request.only_events, ElementsAre("news"));
  EXPECT_EQ(request.after, MessageId());
  hub_->replay(request, {item("hidden", 1, true)}, MessageId(1), true);
  EXPECT_THAT(page.until("hidden"), HasSubstr("hidden"));
}

TEST_F(HubReplayTest, TakesAPageLargerThanTheBacklogAtTheClientsPace) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start(1);
  Page page = open({.user = "u", .send_buffer = 4096, .receive_buffer = 4096});
  std::vector<ReplayFrame> all;
  std::string expected;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    const std::string data = std::to_string(i) + std::string(2000, 'x');
    all.push_back(item(data, i));
    expected += "data:" + data + "\n\n";
  }
  page.client.take();
  hub_->replay(wait_request(1), std::move(all), MessageId(500), true);
  // The client reads late; that alone is no reason to close it.
  ASSERT_TRUE(eventually([&] { return hub_->describe(page.id)->backlog_bytes > 0; }));
  EXPECT_LE(hub_->describe(page.id)->backlog_bytes, 10'000U);
  deliver(TargetKind::kUser, {"u"}, "live");
  expected += "data:live\n\n";
  ASSERT_TRUE(page.client.receive_bytes(expected.size()));
  EXPECT_TRUE(page.client.received() == expected);
}

TEST_F(HubReplayTest, ForgetsAReplayWhoseStreamIsGone) {
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  const ReplayRequest request = wait_request(1);
  page.client.close();
  ASSERT_TRUE(eventually([&] { return hub_->sockets() == 0; }));
  hub_->replay(request, {item("one", 1)}, MessageId(1), false);
  EXPECT_THAT(deliver(TargetKind::kAll, {}, "x"), ElementsAre(0));
  EXPECT_THAT(delegate_.requests(), SizeIs(1));
}

TEST_F(HubReplayTest, BoundsWhatItHoldsWhileItReplays) {
  options_.stream.max_backlog = 10'000;
  delegate_.answer(true);
  start();
  Page page = open_user("u");
  wait_request(1);
  std::vector<std::uint32_t> taken{1};
  for (int i = 0; i < 100 && taken.front() == 1; ++i) taken = deliver(TargetKind::kUser, {"u"}, std::string(1000, 'x'));
  EXPECT_THAT(taken, ElementsAre(0));
  EXPECT_TRUE(eventually([&] { return hub_->sockets() == 0; }));
  EXPECT_EQ(closed_for("slow-consumer"), 1);
}

// As many as one ack.do may name.
TEST_F(HubTest, TakesTenThousandConfirmationsInPartsBetweenOtherWork) {
  start(1);
  Page page = open({.user = "1", .query = "clientId=c", .marks = true});
  constexpr std::uint64_t kMessages = 10'000;
  std::vector<MessageId> ids;
  std::vector<Hub::Delivery> deliveries;
  const Target target{TargetKind::kUser, {"1"}};
  for (std::uint64_t id = 1; id <= kMessages; ++id) {
    ids.emplace_back(id);
    deliveries.push_back({target, "news", frame("x", id), {}});
  }
  hub_->deliver(std::move(deliveries));
  const Identity owner{UserId("1")};
  EXPECT_EQ(hub_->describe(page.id)->in_flight, kMessages);
  std::atomic<std::uint64_t> most{0};
  std::uint64_t counted = 0;
  loops_.front()->post([&] {
    counted = steps_counted();
    loops_.front()->at_turn_end([&] {
      most = std::max(most.load(), steps_counted() - counted);
      counted = steps_counted();
    });
  });
  EXPECT_EQ(hub_->acknowledge(page.id, owner, ids), kMessages);
  settle();
  EXPECT_GT(most.load(), 0U);
  EXPECT_LT(most.load(), kMessages / 2) << "steps in one turn of the loop";
  EXPECT_EQ(hub_->describe(page.id)->in_flight, 0U);
  loops_.front()->stop();
}

// The codes with which the functions that wait for the loops refuse to; "waited" for one that did not.
std::vector<std::string> refusals(Hub& hub) {
  const Identity owner{UserId("1")};
  const ConnectionId id(1);
  std::vector<DeliveryState> messages(1);
  MatchQuery everyone;
  everyone.target = {TargetKind::kAll, {}, false};
  const std::vector<std::function<void()>> calls{[&] { hub.check_may_wait(); },
                                                 [&] {
                                                   hub.deliver({TargetKind::kAll, {}, false}, "news", frame("x"));
                                                 },
                                                 [&] { hub.visit({}, [](Shard&, std::size_t) {}); },
                                                 [&] { hub.visit(UserId("1"), [](Shard&, std::size_t) {}); },
                                                 [&] { hub.describe(id); },
                                                 [&] { hub.names(TargetKind::kUser); },
                                                 [&] { hub.recently_closed(); },
                                                 [&] { hub.find_delivery_states(messages); },
                                                 [&] {
                                                   hub.connections_of({{"1", "c", "", ""}});
                                                 },
                                                 [&] { hub.replace({id}); },
                                                 [&] { hub.close({id}); },
                                                 [&] { hub.close(Target::user(UserId("1"))); },
                                                 [&] { hub.close_for_reconnect({id}, milliseconds(1)); },
                                                 [&] { hub.change_listeners(id, owner, {"news"}, true); },
                                                 [&] { hub.note_request(id, owner, Hub::Request::kMessage); },
                                                 [&] { hub.acknowledge(id, owner, {MessageId(1)}); },
                                                 [&] { hub.disconnect(id, owner); },
                                                 [&] { find(hub, {}); },
                                                 [&] { count_names(hub, TargetKind::kUser, {}); },
                                                 [&] { explain(hub, everyone); },
                                                 [&] { set_duration(hub, {id}, 1); },
                                                 [&] { clear_duration(hub, {id}); }};
  std::vector<std::string> codes;
  for (const auto& call : calls) {
    try {
      call();
      codes.emplace_back("waited");
    } catch (const Error& e) {
      codes.emplace_back(error_name(e.code()));
    }
  }
  return codes;
}

TEST_F(HubTest, RefusesToWaitForLoopsThatDoNotRunYetOrAnyMore) {
  create(2);
  EXPECT_THAT(refusals(*hub_), Each("unavailable"));
  for (const auto& loop : loops_) loop->start();
  EXPECT_THAT(refusals(*hub_), Each("waited"));
  for (const auto& loop : loops_) loop->stop();
  EXPECT_THAT(refusals(*hub_), Each("unavailable"));
}

TEST_F(HubTest, RefusesToWaitOnTheThreadOfALoop) {
  start(2);
  net::EventLoop elsewhere("other", clock_);  // not one of its own
  elsewhere.start();
  for (net::EventLoop* loop : {loops_.front().get(), &elsewhere}) {
    std::promise<std::vector<std::string>> codes;
    loop->post([&] { codes.set_value(refusals(*hub_)); });
    EXPECT_THAT(codes.get_future().get(), Each("internal"));
  }
}

TEST_F(HubTest, SurvivesPagesThatComeAndGoWhileEverybodySends) {
  options_.client_max_connections = 2;
  start(3);
  std::atomic<bool> stop{false};
  std::vector<std::thread> senders;
  for (int t = 0; t < 2; ++t) {
    senders.emplace_back([&] {
      while (!stop) {
        deliver(TargetKind::kAll, {}, "x");
        deliver(TargetKind::kUser, {"1", "2", "3"}, "y", true);
        hub::find(*hub_, {});
        hub_->close(Target::user(UserId("3")));
      }
    });
  }
  std::vector<std::thread> pages;
  for (int t = 0; t < 3; ++t) {
    pages.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        Page page = open({.user = std::to_string(1 + (i + t) % 3), .listeners = {"news"}, .query = "clientId=c"});
        hub_->change_listeners(page.id, {UserId(std::to_string(1 + (i + t) % 3))}, {"news"}, i % 2 == 0);
        if (i % 3 == 0) {
          page.client.reset();
        } else if (i % 3 == 1) {
          hub_->close({page.id});
        }
      }
    });
  }
  for (std::thread& thread : pages) thread.join();
  stop = true;
  for (std::thread& thread : senders) thread.join();
  EXPECT_TRUE(eventually([&] { return hub_->sockets() == 0; }));
  EXPECT_EQ(hub_->connections(), 0U);
  EXPECT_EQ(hub_->users(), 0U);
}

}  // namespace
}  // namespace sse::hub
