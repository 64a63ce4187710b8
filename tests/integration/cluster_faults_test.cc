// What may go wrong around a cluster, with real servers and a real Redis: nothing accepted is lost, and all heals
// alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/relay.h"
#include "waiting_programs.h"

namespace sse::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClusterFaultsTest : public ClusterTest {};

TEST_F(ClusterFaultsTest, APartitionedNodeServesItsOwnAndGetsWhatItMissedWhenItIsBack) {
  Relay relay;
  relay.set_target("127.0.0.1:" + std::to_string(redis_.port()));
  Node& a = start("a");
  nodes_.push_back(std::make_unique<Node>("redis://" + relay.address() + "/0", "b", std::vector<std::string>{}));
  Node& b = *nodes_.back();
  settle();
  const std::size_t at_b = b.streams().connect("userId=1");
  ASSERT_TRUE(eventually([&] { return a.get("/api/v1/users")["total"] == 1; }));

  relay.swallow();
  // Kept at once, and delivered when the way is free again.
  EXPECT_EQ(a.send_to_user("1", "kept", {{"qos", true}})["pending"], 1);
  ASSERT_TRUE(eventually([&] { return !b.degraded().empty(); }));
  EXPECT_EQ(b.send_to_user("1", "local")["delivered"], 1);
  ASSERT_TRUE(b.receives(at_b, "local"));
  const std::size_t fresh = b.streams().connect("userId=fresh");
  EXPECT_EQ(b.send_to_user("fresh", "local")["delivered"], 1);
  ASSERT_TRUE(b.receives(fresh, "local"));
  // Nobody shows its users longer than its entry lives.
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.get("/api/v1/users")["total"], 0);
  EXPECT_TRUE(a.degraded().empty());

  relay.restore();
  ASSERT_TRUE(eventually([&] { return b.degraded().empty(); }));
  ASSERT_TRUE(a.sees(2));
  ASSERT_TRUE(b.receives(at_b, "kept"));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("fresh", "together")["delivered"] == 1; }));
  EXPECT_EQ(a.get("/api/v1/users")["total"], 2);
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 0; }));
}

TEST_F(ClusterFaultsTest, ARollingRestartWithClientsAttachedLosesNoMessage) {
  constexpr int kUsers = 12;
  std::vector<std::string> ids{"a", "b", "c"};
  for (const std::string& id : ids) start(id);
  settle();
  std::map<std::string, std::set<std::string>> got;  // by user
  std::map<std::string, std::pair<Node*, std::size_t>> attached;
  // One sends after the other, so that the order is that of the sends, and of the ids: on each stream, where one that
  // was lost with the stream before comes again, too.
  const auto expect_order = [](const std::string& user, const std::vector<ReceivedEvent>& events) {
    for (std::size_t i = 1; i < events.size(); ++i) {
      EXPECT_LT(std::stoull(events[i - 1].id), std::stoull(events[i].id)) << user << ": " << events[i].data;
      EXPECT_LT(std::stoi(events[i - 1].data.substr(1)), std::stoi(events[i].data.substr(1))) << user;
    }
  };
  const auto connect = [&](const std::string& user, Node& node) {
    const std::size_t stream = node.streams().connect("ack=0&userId=" + user);
    attached[user] = {&node, stream};
  };
  const auto read = [&](const std::string& user) {
    auto& [node, stream] = attached[user];
    const std::vector<ReceivedEvent>& events = node->streams()[stream].events;
    expect_order(user, events);
    for (const ReceivedEvent& event : events) got[user].insert(event.data);
  };
  for (int u = 0; u < kUsers; ++u) connect("u" + std::to_string(u), *nodes_[static_cast<std::size_t>(u) % 3]);

  int sent = 0;
  const auto send = [&](Node& through) {
    std::vector<std::string> users;
    for (int u = 0; u < kUsers; ++u) users.push_back("u" + std::to_string(u));
    const Json answer = through.send({{"users", users}}, "m" + std::to_string(sent++), {{"qos", true}});
    EXPECT_EQ(answer["pending"], kUsers);
  };
  for (std::size_t turn = 0; turn < ids.size(); ++turn) {
    Node* leaving = nodes_[turn].get();
    Node& other = *nodes_[(turn + 1) % 3];
    send(other);
    ::kill(leaving->server().pid(), SIGTERM);
    send(other);
    // Its streams end; their clients go elsewhere, as a load balancer has them do.
    for (const auto& entry : attached) {
      if (entry.second.first != leaving) continue;
      ASSERT_TRUE(leaving->streams().run_until([&] { return leaving->streams()[entry.second.second].ended; }));
      read(entry.first);
    }
    send(other);
    for (auto& [user, where] : attached) {
      if (where.first == leaving) connect(user, other);
    }
    leaving->server().stop();
    send(other);
    nodes_[turn] = std::make_unique<Node>(redis_, ids[turn]);
    ASSERT_TRUE(other.sees(3));
  }
  for (int u = 0; u < kUsers; ++u) {
    const std::string user = "u" + std::to_string(u);
    Streams& streams = attached[user].first->streams();
    EXPECT_TRUE(streams.run_until([&] {
      read(user);
      return got[user].size() == static_cast<std::size_t>(sent);
    })) << user
        << " got " << got[user].size() << " of " << sent;
  }
  EXPECT_TRUE(nodes_[0]->streams().run_until([&] {
    for (const auto& node : nodes_) node->streams().run(std::chrono::milliseconds(1));
    return nodes_[1]->get("/api/v1/messages")["total"] == 0;
  }));
}

std::string faketime_library() {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           "/usr/lib", std::filesystem::directory_options::skip_permission_denied)) {
    if (entry.path().filename() == "libfaketimeMT.so.1") return entry.path();
  }
  return "";
}

// Programs started while it lives have a wall clock that is off.
class OtherClock {
 public:
  OtherClock(const std::string& library, const std::string& offset) {
    setenv("LD_PRELOAD", library.c_str(), 1);
    setenv("FAKETIME", offset.c_str(), 1);
    setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    setenv("DONT_FAKE_MONOTONIC", "1", 1);
  }
  ~OtherClock() {
    for (const char* name : {"LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"})
      unsetenv(name);
  }
};

TEST_F(ClusterFaultsTest, ClocksFiveMinutesApartCostNeitherMessagesNorOrder) {
  const std::string library = faketime_library();
  if (kSanitized) GTEST_SKIP() << "libfaketime cannot be preloaded before a sanitizer";
  ASSERT_NE(library, "") << "libfaketime is not installed (scripts/setup --tests)";
  {
    const OtherClock clock(library, "+5m");
    start("ahead");
  }
  {
    const OtherClock clock(library, "-5m");
    start("behind");
  }
  Node& ahead = *nodes_[0];
  Node& behind = *nodes_[1];
  Node& right = start("right");
  settle();
  const auto nodes_of = [](Node& node) { return node.get("/api/v1/nodes")["list"]; };
  std::map<std::string, std::int64_t> started;
  for (const Json& node : nodes_of(right)) started[node["id"]] = node["startTime"];
  ASSERT_GT(started["ahead"] - started["behind"], 500'000);

  // A minute to live: by the other's clock that is long over, or begins only in minutes.
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    for (Node* node : {&ahead, &behind, &right}) {
      expected.push_back(node->id() + std::to_string(i));
      EXPECT_EQ(node->send_to_user("1", expected.back(), {{"qos", true}, {"ttl", "60s"}})["pending"], 1);
    }
  }
  EXPECT_EQ(ahead.get("/api/v1/messages")["total"], 12);
  const std::size_t stream = ahead.streams().connect("userId=1");
  ASSERT_TRUE(ahead.receives(stream, expected.back()));
  EXPECT_EQ(ahead.data(stream), expected);
  EXPECT_TRUE(ahead.streams().run_until([&] { return right.get("/api/v1/messages")["total"] == 0; }));
  EXPECT_EQ(behind.get("/api/v1/dead")["total"], 0);
  // Presence goes by how long ago a node was heard of, not by what it says the time is.
  EXPECT_TRUE(behind.sees(3));
  EXPECT_EQ(behind.send_to_user("1", "live")["delivered"], 1);
}

TEST_F(ClusterFaultsTest, SixtyFourProgramsThatWaitTakeNothingFromOthers) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  expect_waits_take_nothing_from_others(a, b, "--cluster " + redis_.url());
}

// For as long as it is frozen: Redis takes it for a subscriber all the while.
TEST_F(ClusterFaultsTest, AFrozenNodePastItsTimeToLiveIsNamedAndNotWaitedFor) {
  Node& a = start("a");
  Node& b = start("b");
  Node& c = start("c");
  settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=1");
  c.streams().connect("userId=2");
  ::kill(b.server().pid(), SIGSTOP);
  ASSERT_TRUE(a.sees(2));
  const auto took = [](const auto& what) {
    const auto begin = std::chrono::steady_clock::now();
    what();
    return std::chrono::steady_clock::now() - begin;
  };
  constexpr std::chrono::milliseconds kSoon{1000};  // a node that may answer is waited for twice as long
  Json sent;
  EXPECT_TRUE(eventually([&] { return took([&] { sent = a.send_to_user("1", "x"); }) < kSoon; }));
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_TRUE(eventually([&] { return took([&] { sent = a.send_to_user("1", "y", {{"qos", true}}); }) < kSoon; }));
  EXPECT_EQ(sent["delivered"], 1);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  Json list;
  EXPECT_TRUE(eventually([&] { return took([&] { list = a.get("/api/v1/connections"); }) < kSoon; }));
  EXPECT_EQ(list["total"], 2);
  EXPECT_EQ(list["missing"], Json({"b"}));
  // Who has no receiver has missed nothing.
  EXPECT_FALSE(a.send_to_user("2", "x").contains("missing"));
  ::kill(b.server().pid(), SIGCONT);
  ASSERT_TRUE(a.sees(3));
  EXPECT_TRUE(eventually([&] {
    sent = a.send_to_user("1", "again");
    return sent["delivered"] == 2 && !sent.contains("missing");
  }));
}

TEST_F(ClusterFaultsTest, WhatIsAcceptedWhileRedisFreezesIsDeliveredAndTheRestRefused) {
  Node& a = start("a");
  Node& b = start("b");
  settle();
  std::vector<std::string> accepted;
  const auto send = [&](Node& node, const std::string& data) {
    const HttpResponse response =
        node.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}, {"qos", true}});
    if (response.status == 200) {
      accepted.push_back(data);
    } else {
      EXPECT_EQ(response.status, 503) << response.body;
    }
  };
  send(a, "before");
  redis_.freeze();
  send(a, "frozen");
  ASSERT_TRUE(eventually([&] { return !a.degraded().empty() && !b.degraded().empty(); }));
  send(b, "still frozen");
  redis_.thaw();
  ASSERT_TRUE(eventually([&] { return a.degraded().empty() && b.degraded().empty(); }));
  ASSERT_TRUE(eventually([&] {
    send(a, "after");
    return accepted.back() == "after";
  }));
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.receives(stream, "after"));
  const std::vector<std::string> got = b.data(stream);
  for (const std::string& data : accepted) EXPECT_THAT(got, ::testing::Contains(data));
}

}  // namespace
}  // namespace sse::testing
