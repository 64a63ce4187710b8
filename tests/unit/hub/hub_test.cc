#include "hub/hub.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/step_count.h"
#include "event/json.h"
#include "hub/connection_scan.h"
#include "hub/session_duration.h"
#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

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
  EXPECT_EQ(hub_->directory().connections(), 0u);
  EXPECT_EQ(hub_->directory().sockets(), 0u);
  // Neither other nodes nor the application wait for it any more.
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
  EXPECT_EQ(hub_->directory().connections(), 60U);
  EXPECT_EQ(hub_->directory().users(), 60U);
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
    hub_->start_delivery({{target, "news", frame(data), {}}},
                         [&](const std::vector<std::vector<std::uint32_t>>& taken) {
                           ASSERT_EQ(taken.size(), 1U);
                           told.set_value(taken.front());
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
  // No stream could take it: reported all the same.
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
  while (hub_->directory().connections() == 1) deliver(TargetKind::kUser, {"1"}, std::string(16 * 1024, 'x'));
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
  ASSERT_TRUE(eventually([&] { return hub_->directory().recently_closed().size() == 2; }));
  for (const ClosedConnection& closed : hub_->directory().recently_closed()) {
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
  EXPECT_THAT(hub_->directory().describe(page.id)->listeners, ElementsAre("b", "c"));
  EXPECT_TRUE(hub_->directory().describe(page.id)->last_request.has_value());
  // Asked only for the names that were new, from the beginning.
  const auto requests = delegate_.requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[1].only_events, ElementsAre("b", "c"));
  EXPECT_EQ(requests[1].after, MessageId());
}

TEST_F(HubTest, TreatsAnotherUsersConnectionAsUnknown) {
  start();
  Page page = open_user("1");
  for (const std::string stranger : {"2", "", "11"}) {
    EXPECT_EQ(hub_->change_listeners(page.id, {UserId(stranger)}, {"b"}, true), std::nullopt);
    EXPECT_FALSE(hub_->note_request(page.id, {UserId(stranger)}, Hub::Request::kMessage).has_value());
    EXPECT_FALSE(hub_->disconnect(page.id, {UserId(stranger)}));
  }
  EXPECT_FALSE(hub_->disconnect(ConnectionId(), {UserId("1")}));
  EXPECT_FALSE(hub_->disconnect(ConnectionId(page.id.value() + 1), {UserId("1")}));
  EXPECT_FALSE(hub_->directory().describe(ConnectionId(1)).has_value());
  deliver(TargetKind::kAll, {}, "still here");
  EXPECT_THAT(page.until("still here"), HasSubstr("still here"));
  EXPECT_THAT(hub_->directory().describe(page.id)->listeners, IsEmpty());
}

TEST_F(HubTest, TakesTheSameUserOfAnotherTenantForAnotherUser) {
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
  hub_->directory().find_delivery_states(places);
  EXPECT_EQ(places[0].state, DeliveryState::State::kWaiting);
  EXPECT_EQ(places[1].state, DeliveryState::State::kOffline);
  EXPECT_EQ(hub_->close(event::Target{TargetKind::kMember, {name}, false}), 1U);
  EXPECT_THAT(deliver(TargetKind::kUser, {"1"}, "for both"), ElementsAre(1));
  EXPECT_THAT(other.until("for both"), Not(HasSubstr("for acme")));
}

TEST_F(HubTest, CountsWhatAPageSends) {
  start();
  const Page page = open_user("1");
  EXPECT_FALSE(hub_->directory().describe(page.id)->last_request.has_value());
  hub_->note_request(page.id, {UserId("1")}, Hub::Request::kMessage);
  hub_->note_request(page.id, {UserId("1")}, Hub::Request::kMessage);
  const auto info = hub_->note_request(page.id, {UserId("1")}, Hub::Request::kUpload);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->request_messages, 2U);
  EXPECT_EQ(info->request_uploads, 1U);
  EXPECT_TRUE(info->last_request.has_value());
}

TEST_F(HubTest, SaysGoodbyeWhenTheServerCloses) {
  start();
  Page page = open_user("1");
  Page other = open_user("2");
  EXPECT_EQ(hub_->close({page.id, ConnectionId(1)}), 1U);
  EXPECT_EQ(hub_->close({page.id}), 0U);
  page.client.take();
  EXPECT_TRUE(page.client.receive_all(clock_));
  EXPECT_THAT(page.client.received(), MatchesRegex("id:[0-9]+\nevent:connect-close\ndata:.\"connectionId\": \"" +
                                                   page.id.str() + "\",\"reason\":\"closed-by-operator\".\n\n"));
  EXPECT_EQ(hub_->directory().connections(), 1U);
  page.client.close();
  EXPECT_TRUE(eventually([&] { return hub_->directory().sockets() == 1; }));
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
  EXPECT_EQ(page.client.received(), "event:connect-close\ndata:{\"connectionId\": \"" + page.id.str() + "\"}\n\n");
  EXPECT_EQ(closed_for("disconnect"), 1);
}

TEST_F(HubTest, NoticesThatAPageLeft) {
  start();
  Page finished = open_user("1");
  Page reset = open_user("1");
  finished.client.close();
  reset.client.reset();
  EXPECT_TRUE(eventually([&] { return hub_->directory().connections() == 0 && hub_->directory().sockets() == 0; }));
  EXPECT_EQ(hub_->directory().users(), 0U);
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
  EXPECT_EQ(hub_->directory().connections(), 6U);
  pages.push_back(open({.user = "1", .query = "clientId=x"}));
  EXPECT_TRUE(pages[0].client.receive_until("event:connect-close\n"));
  EXPECT_TRUE(pages[0].client.receive_all(clock_));
  EXPECT_TRUE(eventually([&] { return hub_->directory().connections() == 6; }));
  EXPECT_EQ(closed_for("replaced"), 1);
  for (std::size_t i = 1; i < pages.size(); ++i) EXPECT_TRUE(hub_->directory().describe(pages[i].id).has_value()) << i;
}

// A kiosk, or pages whose users are not told apart.
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
  EXPECT_EQ(hub_->directory().connections(), pages.size());
  const Page third = open({.user = "kiosk", .query = "clientId=5"});
  const Page other_tenant = open({.user = "kiosk", .tenant = "t", .query = "clientId=5"});
  EXPECT_TRUE(pages[10].client.receive_until("event:connect-close\n"));
  EXPECT_TRUE(eventually([&] { return hub_->directory().connections() == pages.size() + 1; }));
  EXPECT_EQ(closed_for("replaced"), 1);
  EXPECT_TRUE(hub_->directory().describe(pages[11].id).has_value());
  const auto found = hub_->directory().connections_of({{"kiosk", "5", "", ""}});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found.front(), ::testing::UnorderedElementsAre(pages[11].id, third.id));
  // Few again: the index goes, and the limit stays.
  for (std::size_t i = 14; i < pages.size(); ++i) pages[i].client.close();
  EXPECT_TRUE(eventually([&] { return hub_->directory().connections() == 15; }));
  const Page fourth = open({.user = "kiosk", .query = "clientId=5"});
  EXPECT_TRUE(pages[11].client.receive_until("event:connect-close\n"));
}

TEST_F(HubTest, DoesNotLimitClientsWithoutAnId) {
  options_.client_max_connections = 1;
  start();
  const Page a = open_user("1");
  const Page b = open_user("1");
  EXPECT_EQ(hub_->directory().connections(), 2U);
}

TEST_F(HubTest, EndsAStreamWithoutGoodbyeWhenItsKeepaliveTimeIsOver) {
  start();
  Page page = open({.user = "1", .keepalive = std::chrono::minutes(10)});
  Page unlimited = open_user("1");
  page.client.take();
  clock_.advance(std::chrono::minutes(9));
  settle();
  EXPECT_EQ(hub_->directory().connections(), 2U);
  EXPECT_TRUE(page.client.receive_all(clock_, std::chrono::seconds(10)));
  EXPECT_THAT(page.client.received(), MatchesRegex("id:[0-9]+\n\n"));  // no event
  EXPECT_EQ(closed_for("keepalive"), 1);
  EXPECT_EQ(hub_->directory().connections(), 1U);
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

TEST_F(HubTest, SendsPingsToClientsThatAskForThemWhateverElseFlows) {
  options_.heartbeat = std::chrono::seconds(15);
  start(1);
  Page silent = open({.user = "silent", .pings = true});
  Page busy = open({.user = "busy", .pings = true});
  Page plain = open_user("busy");
  for (Page* page : {&silent, &busy}) EXPECT_THAT(page->client.received(), HasSubstr(",\"pingInterval\":15000}\n\n"));
  EXPECT_THAT(plain.client.received(), Not(HasSubstr("pingInterval")));
  for (int second = 0; second < 60; ++second) {
    deliver(TargetKind::kUser, {"busy"}, "x");
    clock_.advance(std::chrono::seconds(1));
    settle();
  }
  for (const char* user : {"busy", "silent"}) deliver(TargetKind::kUser, {user}, "end");
  for (Page* page : {&silent, &busy}) {
    const std::string got = page->until("end");
    EXPECT_GE(times(got, "event:sse-ping\ndata:\n\n"), 3U) << got;
    EXPECT_LE(times(got, "sse-ping"), 4U) << got;
    EXPECT_EQ(times(got, "\n:\n"), 0U) << got;
    EXPECT_EQ(times(got, "id:"), 1U) << "only connect-finish has an id: " << got;
  }
  EXPECT_THAT(plain.until("end"), Not(HasSubstr("sse-ping")));
}

TEST_F(HubTest, PromisesNoPingsWithoutAHeartbeat) {
  start(1);
  Page page = open({.user = "1", .pings = true});
  EXPECT_THAT(page.client.received(), Not(HasSubstr("pingInterval")));
}

TEST_F(HubTest, PingsFitIntoTheMemoryOfAStreamThatHasNone) {
  EXPECT_LE(sizeof(Connection), 176U);
}

TEST_F(HubTest, TellsClientsThatAskWhyTheirStreamEndsWhenTheyAreToReconnect) {
  options_.heartbeat = milliseconds(200);
  options_.reconnect_time = milliseconds(4321);
  options_.client_max_connections = 1;
  start();
  Page keepalive = open({.user = "1", .keepalive = milliseconds(1), .ends = true});
  Page token = open({.user = "2", .keepalive = milliseconds(1), .with_token = true, .ends = true});
  Page sent_away = open({.user = "3", .ends = true});
  Page java = open({.user = "4", .keepalive = milliseconds(1)});
  Page closed = open({.user = "5", .ends = true});
  Page left = open({.user = "6", .ends = true});
  Page replaced = open({.user = "7", .query = "clientId=c", .ends = true});
  Page replacing = open({.user = "7", .query = "clientId=c", .ends = true});
  hub_->close_for_reconnect({sent_away.id}, milliseconds(1));
  hub_->close({closed.id});
  EXPECT_TRUE(hub_->disconnect(left.id, {UserId("6")}));
  clock_.advance(milliseconds(500));
  settle();
  hub_->drain();
  for (Page* page : {&keepalive, &token, &sent_away, &java, &closed, &left, &replaced, &replacing})
    EXPECT_TRUE(page->client.receive_all(clock_));
  EXPECT_THAT(keepalive.client.received(),
              MatchesRegex(".*\n\nevent:sse-end\ndata:\\{\"reason\":\"keepalive\",\"retry\":[0-9]{1,4}\\}\n\n"));
  EXPECT_THAT(token.client.received(),
              MatchesRegex(".*\n\nevent:sse-end\ndata:\\{\"reason\":\"token-expired\",\"retry\":[0-9]{1,4}\\}\n\n"));
  EXPECT_THAT(sent_away.client.received(), HasSubstr("data:{\"reason\":\"shutdown\",\"retry\":1}\n\n"));
  EXPECT_THAT(replacing.client.received(), HasSubstr("data:{\"reason\":\"shutdown\",\"retry\":4321}\n\n"));
  const auto close_data = [](const Page& page, const std::string& more) {
    return HasSubstr("event:connect-close\ndata:{\"connectionId\": \"" + page.id.str() + "\"" + more + "}\n\n");
  };
  EXPECT_THAT(replaced.client.received(), close_data(replaced, ",\"reason\":\"replaced\""));
  EXPECT_THAT(closed.client.received(), HasSubstr(",\"reason\":\"closed-by-operator\"}\n\n"));
  EXPECT_THAT(left.client.received(), close_data(left, ""));
  for (const Page* page : {&java, &closed, &left, &replaced})
    EXPECT_THAT(page->client.received(), Not(HasSubstr("sse-end")));
}

TEST_F(HubTest, ClosesASlowConsumerAndNoOther) {
  options_.stream.max_backlog = 50'000;
  start(1);
  Page slow = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  Page healthy = open_user("1");
  const std::string data(5000, 'x');
  int sent = 0;
  while (hub_->directory().describe(slow.id) && sent < 10'000) {
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
  EXPECT_TRUE(hub_->directory().describe(slow.id).has_value());
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
  EXPECT_TRUE(eventually([&] { return hub_->directory().sockets() == 0; }));
  EXPECT_EQ(hub_->directory().connections(), 0U);
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
  EXPECT_EQ(hub_->directory().describe(page.id)->in_flight, kMessages);
  std::atomic<std::uint64_t> max_steps{0};
  std::uint64_t counted = 0;
  loops_.front()->post([&] {
    counted = steps_counted();
    loops_.front()->at_turn_end([&] {
      max_steps = std::max(max_steps.load(), steps_counted() - counted);
      counted = steps_counted();
    });
  });
  EXPECT_EQ(hub_->acknowledge(page.id, owner, ids), kMessages);
  settle();
  EXPECT_GT(max_steps.load(), 0U);
  EXPECT_LT(max_steps.load(), kMessages / 2) << "steps in one turn of the loop";
  EXPECT_EQ(hub_->directory().describe(page.id)->in_flight, 0U);
  loops_.front()->stop();
}

// The codes with which the functions that wait for the loops refuse to; "waited" for one that did not.
std::vector<std::string> refusals(Hub& hub) {
  const Identity owner{UserId("1")};
  const ConnectionId id(1);
  std::vector<DeliveryState> messages(1);
  MatchQuery everyone;
  everyone.target = {TargetKind::kAll, {}, false};
  const std::vector<std::function<void()>> calls{
      [&] { hub.check_may_wait(); },
      [&] {
        hub.deliver({TargetKind::kAll, {}, false}, "news", frame("x"));
      },
      [&] { hub.directory().visit({}, [](Shard&, std::size_t) {}); },
      [&] { hub.directory().visit(UserId("1"), [](Shard&, std::size_t) {}); },
      [&] { hub.directory().describe(id); },
      [&] { hub.directory().names(TargetKind::kUser); },
      [&] { hub.directory().recently_closed(); },
      [&] { hub.directory().find_delivery_states(messages); },
      [&] {
        hub.directory().connections_of({{"1", "c", "", ""}});
      },
      [&] { hub.replace({id}); },
      [&] { hub.close({id}); },
      [&] { hub.close(Target::user(UserId("1"))); },
      [&] { hub.close_for_reconnect({id}, milliseconds(1)); },
      [&] { hub.change_listeners(id, owner, {"news"}, true); },
      [&] { hub.note_request(id, owner, Hub::Request::kMessage); },
      [&] { hub.acknowledge(id, owner, {MessageId(1)}); },
      [&] { hub.disconnect(id, owner); },
      [&] { find(hub.directory(), {}); },
      [&] { count_names(hub.directory(), TargetKind::kUser, {}); },
      [&] { explain(hub.directory(), everyone); },
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
        hub::find(hub_->directory(), {});
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
  EXPECT_TRUE(eventually([&] { return hub_->directory().sockets() == 0; }));
  EXPECT_EQ(hub_->directory().connections(), 0U);
  EXPECT_EQ(hub_->directory().users(), 0U);
}

}  // namespace
}  // namespace sse::hub
