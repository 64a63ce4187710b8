// What may go wrong around a cluster of real servers, over each bus: nothing accepted is lost, and all heals alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "waiting_programs.h"

namespace sse::testing {
namespace {

using ::testing::SizeIs;

template <class Bus>
class ClusterFaultsTest : public ClusterOver<Bus> {};
TYPED_TEST_SUITE(ClusterFaultsTest, EveryBus, BusName);

TYPED_TEST(ClusterFaultsTest, ANodeThatDiesLosesNoMessageAndIsNoLongerSeen) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  // A client that takes nothing: what is sent to it stays in flight.
  const std::size_t stream = b.streams().connect("userId=1&ack=1");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["delivered"], 1);
  ASSERT_TRUE(b.receives(stream, "19"));
  b.server().kill();
  EXPECT_EQ(a.get("/api/v1/messages")["total"], 20);
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 0);
  const std::size_t again = a.streams().connect("userId=1");
  ASSERT_TRUE(a.receives(again, "19"));
  EXPECT_EQ(a.data(again).size(), 20u);
}

TYPED_TEST(ClusterFaultsTest, ANodeThatDiesLosesNothingItAccepted) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.send_to_user("1", std::to_string(i), {{"qos", true}})["pending"], 1);
  a.kill();
  // Its receiver is at the other node, and gets it as soon as the first is back.
  const std::size_t stream = b.streams().connect("userId=1");
  ASSERT_TRUE(b.sees(1));
  a.restart();
  ASSERT_TRUE(b.receives(stream, "19"));
  EXPECT_THAT(b.data(stream), SizeIs(20));
  EXPECT_TRUE(b.streams().run_until([&] { return a.get("/api/v1/messages")["total"] == 0; }));
}

TYPED_TEST(ClusterFaultsTest, ANodeThatDiesIsNoLongerSeenAndDelaysNoOtherNode) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  ClusterNode& c = this->start("c");
  this->settle();
  b.streams().connect("userId=1");
  c.streams().connect("userId=1");
  b.kill();
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 1);
  if (TypeParam::kNamesDeadNodes) {
    EXPECT_EQ(sent["missing"], Json({"b"}));
    EXPECT_EQ(a.get("/api/v1/connections")["missing"], Json({"b"}));
  }
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return !a.send_to_user("1", "x").contains("missing"); }));
  EXPECT_EQ(a.get("/api/v1/connections")["total"], 1);
}

TYPED_TEST(ClusterFaultsTest, AFrozenNodeIsNamedAndDelaysNoOtherNodeForLong) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  b.streams().connect("userId=1");
  freeze(b.server().pid());
  const Json sent = a.send_to_user("1", "x");
  EXPECT_EQ(sent["delivered"], 0);
  EXPECT_EQ(sent["missing"], Json({"b"}));
  EXPECT_EQ(a.get("/api/v1/connections")["missing"], Json({"b"}));
  ASSERT_TRUE(a.sees(1));
  thaw(b.server().pid());
  ASSERT_TRUE(a.sees(2));
  EXPECT_TRUE(eventually([&] { return a.send_to_user("1", "again")["delivered"] == 1; }));
}

TYPED_TEST(ClusterFaultsTest, SixtyFourProgramsThatWaitTakeNothingFromOthers) {
  ClusterNode& a = this->start("a");
  ClusterNode& b = this->start("b");
  this->settle();
  expect_waits_take_nothing_from_others(a, b, this->bus_.ssectl_options());
}

TYPED_TEST(ClusterFaultsTest, ARollingRestartWithClientsAttachedLosesNoMessage) {
  constexpr int kUsers = 12;
  std::vector<std::string> ids{"a", "b", "c"};
  for (const std::string& id : ids) this->start(id);
  this->settle();
  std::map<std::string, std::set<std::string>> got;  // by user
  std::map<std::string, std::pair<ClusterNode*, std::size_t>> attached;
  // One sends after the other, so that the order is that of the sends, and of the ids: on each stream, where one that
  // was lost with the stream before comes again, too.
  const auto expect_order = [](const std::string& user, const std::vector<ReceivedEvent>& events) {
    for (std::size_t i = 1; i < events.size(); ++i) {
      EXPECT_LT(std::stoull(events[i - 1].id), std::stoull(events[i].id)) << user << ": " << events[i].data;
      EXPECT_LT(std::stoi(events[i - 1].data.substr(1)), std::stoi(events[i].data.substr(1))) << user;
    }
  };
  const auto connect = [&](const std::string& user, ClusterNode& node) {
    const std::size_t stream = node.streams().connect("ack=0&userId=" + user);
    attached[user] = {&node, stream};
  };
  const auto read = [&](const std::string& user) {
    auto& [node, stream] = attached[user];
    const std::vector<ReceivedEvent>& events = node->streams()[stream].events;
    expect_order(user, events);
    for (const ReceivedEvent& event : events) got[user].insert(event.data);
  };
  for (int u = 0; u < kUsers; ++u) connect("u" + std::to_string(u), *this->nodes_[static_cast<std::size_t>(u) % 3]);

  int sent = 0;
  const auto send = [&](ClusterNode& through) {
    std::vector<std::string> users;
    for (int u = 0; u < kUsers; ++u) users.push_back("u" + std::to_string(u));
    const Json answer = through.send({{"users", users}}, "m" + std::to_string(sent++), {{"qos", true}});
    EXPECT_EQ(answer["pending"], kUsers);
  };
  for (std::size_t turn = 0; turn < ids.size(); ++turn) {
    ClusterNode* leaving = this->nodes_[turn].get();
    ClusterNode& other = *this->nodes_[(turn + 1) % 3];
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
    leaving->restart();
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
  EXPECT_TRUE(this->nodes_[0]->streams().run_until([&] {
    for (const auto& node : this->nodes_) node->streams().run(std::chrono::milliseconds(1));
    return this->nodes_[1]->get("/api/v1/messages")["total"] == 0;
  }));
}

}  // namespace
}  // namespace sse::testing
