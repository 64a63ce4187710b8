// Trackers of several nodes, each with a hub of its own, and what is lost between them.
#include <gmock/gmock.h>

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "event/json.h"
#include "presence/tracker.h"
#include "unit/hub/hub_fixture.h"

namespace sse::presence {
namespace {

using hub::Page;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

class Network;

// What one node sees of the others.
class View final : public RemotePresence {
 public:
  View(Network& network, std::string self) : network_(network), self_(std::move(self)) {}
  std::vector<std::string> other_nodes() override;
  void send_presence(const std::string& node, std::string message, std::function<void(bool)> done) override;

 private:
  Network& network_;
  const std::string self_;
};

class Network {
 public:
  void add(const std::string& name, Tracker* tracker) {
    const MutexLock lock(mutex_);
    nodes_[name] = tracker;
  }
  void remove(const std::string& name) {
    const MutexLock lock(mutex_);
    nodes_.erase(name);
  }
  /// Messages from or to the node get lost from now on, or arrive again; it stays in the list of nodes.
  void cut(const std::string& name, bool lost) {
    const MutexLock lock(mutex_);
    if (lost) {
      cut_.insert(name);
    } else {
      cut_.erase(name);
    }
  }
  std::size_t sent() {
    const MutexLock lock(mutex_);
    return sent_;
  }
  std::vector<std::string> others(const std::string& self) {
    const MutexLock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, tracker] : nodes_) {
      if (name != self) names.push_back(name);
    }
    return names;
  }
  void send(const std::string& from, const std::string& to, std::string message,
            const std::function<void(bool)>& done) {
    Tracker* tracker = nullptr;
    {
      const MutexLock lock(mutex_);
      ++sent_;
      const auto found = nodes_.find(to);
      if (found != nodes_.end() && !cut_.contains(from) && !cut_.contains(to)) tracker = found->second;
    }
    if (tracker != nullptr) tracker->received(from, std::move(message));
    done(tracker != nullptr);
  }

 private:
  Mutex mutex_;
  std::map<std::string, Tracker*> nodes_ GUARDED_BY(mutex_);
  std::set<std::string> cut_ GUARDED_BY(mutex_);
  std::size_t sent_ GUARDED_BY(mutex_) = 0;
};

std::vector<std::string> View::other_nodes() {
  return network_.others(self_);
}

void View::send_presence(const std::string& node, std::string message, std::function<void(bool)> done) {
  network_.send(self_, node, std::move(message), done);
}

// A node with one loop.
struct TestNode {
  TestNode(const std::string& node_name, Network& network, const ManualClock& clock, TrackerOptions options)
      : name(node_name), view(network, node_name), ids(1, 0, clock) {
    options.remote = &view;
    tracker = std::make_unique<Tracker>(options, clock, metrics);
    hub::HubOptions hub_options;
    hub_options.service = ServiceName("hr");
    hub_options.heartbeat = milliseconds(0);
    hub_options.presence = tracker.get();
    loops.push_back(std::make_unique<net::EventLoop>("loop", clock));
    hub = std::make_unique<hub::Hub>(hub_options, loops, ids, metrics, delegate);
    tracker->add(*hub, 1);
    network.add(name, tracker.get());
    tracker->start();
    loops.front()->start();
  }
  void stop() {
    loops.front()->stop();
    tracker->stop();
  }

  const std::string name;
  View view;
  observe::Registry metrics;
  IdGenerator ids;
  hub::Delegate delegate;
  std::unique_ptr<Tracker> tracker;
  std::vector<std::unique_ptr<net::EventLoop>> loops;
  std::unique_ptr<hub::Hub> hub;
};

class TrackerPeersTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (auto& node : nodes_) node->stop();
  }
  TestNode& add(const std::string& name) {
    nodes_.push_back(std::make_unique<TestNode>(name, network_, clock_, options_));
    return *nodes_.back();
  }
  static Page open(TestNode& node, const std::string& user, bool watches = false, const std::string& channel = "room") {
    testing::PageOptions options{.user = user, .channel = channel, .head = hub::kHead};
    if (watches) options.presence = {channel};
    return testing::open_page(*node.hub, options);
  }
  static bool close(TestNode& node, const Page& page, const std::string& user) {
    return node.hub->disconnect(page.id, {UserId(user)});
  }
  // The members that the page knows, by its events; `many 7` where it knows their number.
  static std::string members(Page& page) {
    while (page.client.receive_some(milliseconds(0))) {
    }
    std::set<std::string> known;
    std::string many;
    for (const testing::ReceivedEvent& one : page.events()) {
      if (one.type != "sse-presence" && one.type != "sse-join" && one.type != "sse-leave") continue;
      const event::Json data = event::parse_json(one.data, "an event");
      if (one.type == "sse-presence") {
        known.clear();
        many = data.contains("members") ? "" : "many " + event::dump_json(data.at("count"));
      }
      if (!data.contains("members")) continue;
      for (const event::Json& member : data.at("members")) {
        const std::string user = member.at("user").get<std::string>();
        if (one.type == "sse-leave") {
          known.erase(user);
        } else {
          known.insert(user);
        }
      }
      EXPECT_EQ(data.at("count").get<std::size_t>(), known.size()) << one.data;
    }
    std::string text = many;
    for (const std::string& user : known) text += (text.empty() ? "" : " ") + user;
    return text;
  }
  bool knows(Page& page, const std::string& wanted) {
    const bool did = clock_.advance_until(
        milliseconds(10), [&] { return members(page) == wanted; }, testing::kSocketTimeout);
    EXPECT_TRUE(did) << "wanted " << wanted << ", knows " << members(page);
    return did;
  }
  // What was under way at the call has had its effect.
  void settle() {
    for (int i = 0; i < 6; ++i) {
      for (auto& node : nodes_) {
        if (!node->tracker) continue;
        for (net::EventLoop* loop : {node->loops.front().get(), &node->tracker->loop()}) {
          std::promise<void> reached;
          loop->post([&] { reached.set_value(); });
          reached.get_future().wait();
        }
      }
    }
  }
  void advance(milliseconds time) {
    settle();
    clock_.advance(time);
    settle();
  }

  ManualClock clock_;
  TrackerOptions options_;
  Network network_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

TEST_F(TrackerPeersTest, AStreamKnowsTheMembersOfAllNodes) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page bob = open(b, "bob");
  Page ann = open(a, "ann", true);
  knows(ann, "ann bob");
  Page cid = open(b, "cid", true);
  knows(ann, "ann bob cid");
  knows(cid, "ann bob cid");
  ASSERT_TRUE(close(b, bob, "bob"));
  knows(ann, "ann cid");
  knows(cid, "ann cid");
  ASSERT_TRUE(close(a, ann, "ann"));
  knows(cid, "cid");
}

TEST_F(TrackerPeersTest, AUserOfTwoNodesIsOneMember) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  Page first = open(a, "bob");
  Page second = open(b, "bob");
  knows(ann, "ann bob");
  ASSERT_TRUE(close(a, first, "bob"));
  advance(seconds(20));
  Page cid = open(b, "cid");
  knows(ann, "ann bob cid");
  ASSERT_TRUE(close(b, second, "bob"));
  knows(ann, "ann cid");
}

TEST_F(TrackerPeersTest, OneThatComesBackAtAnotherNodeHasNotLeft) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  Page bob = open(b, "bob");
  knows(ann, "ann bob");
  ASSERT_TRUE(close(b, bob, "bob"));
  advance(seconds(4));
  Page again = open(a, "bob");
  advance(seconds(10));
  Page cid = open(b, "cid");
  knows(ann, "ann bob cid");
  for (const testing::ReceivedEvent& one : ann.events()) EXPECT_NE(one.type, "sse-leave");
}

TEST_F(TrackerPeersTest, ANodeThatJoinsLaterLearnsWhatIsWatched) {
  TestNode& a = add("a");
  Page ann = open(a, "ann", true);
  knows(ann, "ann");
  TestNode& b = add("b");
  Page bob = open(b, "bob");
  knows(ann, "ann bob");
  Page cid = open(b, "cid", true);
  knows(cid, "ann bob cid");
}

TEST_F(TrackerPeersTest, TheMembersOfALostNodeLeaveAfterTheGrace) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  Page bob = open(b, "bob");
  knows(ann, "ann bob");
  network_.cut("b", true);
  network_.remove("b");
  advance(Peers::kInterval);
  advance(options_.grace - seconds(1));
  EXPECT_EQ(members(ann), "ann bob");
  knows(ann, "ann");
}

TEST_F(TrackerPeersTest, ANodeThatComesBackWithinTheGraceKeepsItsMembers) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  Page bob = open(b, "bob", true);
  knows(ann, "ann bob");
  knows(bob, "ann bob");
  network_.remove("b");
  advance(seconds(2));
  Page cid = open(b, "cid");
  Page dan = open(a, "dan");
  network_.add("b", b.tracker.get());
  knows(ann, "ann bob cid dan");
  knows(bob, "ann bob cid dan");
  for (const testing::ReceivedEvent& one : ann.events()) EXPECT_NE(one.type, "sse-leave");
}

TEST_F(TrackerPeersTest, WhatWasLostIsToldAgain) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  network_.cut("b", true);
  Page ann = open(a, "ann", true);
  Page bob = open(b, "bob", true);
  knows(ann, "ann");
  knows(bob, "bob");
  network_.cut("b", false);
  knows(ann, "ann bob");
  knows(bob, "ann bob");
  network_.cut("b", true);
  Page cid = open(b, "cid");
  Page dan = open(a, "dan");
  advance(seconds(1));
  ASSERT_TRUE(close(b, cid, "cid"));
  knows(ann, "ann bob dan");
  knows(bob, "ann bob cid");
  network_.cut("b", false);
  knows(ann, "ann bob dan");
  knows(bob, "ann bob dan");
}

TEST_F(TrackerPeersTest, ANodeThatMissedMessagesWithoutTheirSenderKnowingSynchronizes) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  knows(ann, "ann");
  advance(seconds(2));
  // The bus of b was away for a moment: nothing of what it knew of others is sure.
  b.tracker->received("a", R"({"watch":false,"channels":{"hr":["room"]}})");
  Page bob = open(b, "bob");
  advance(seconds(1));
  EXPECT_EQ(members(ann), "ann");
  b.tracker->synchronize();
  knows(ann, "ann bob");
}

TEST_F(TrackerPeersTest, ChannelsThatNobodyWatchesCostNoMessage) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  advance(seconds(2));
  const std::size_t before = network_.sent();
  Page ann = open(a, "ann");
  Page bob = open(b, "bob");
  advance(seconds(20));
  EXPECT_EQ(network_.sent(), before);
  Page cid = open(a, "cid", true);
  knows(cid, "ann bob cid");
  ASSERT_TRUE(close(a, cid, "cid"));
  advance(seconds(20));
  advance(seconds(20));
  const std::size_t after = network_.sent();
  Page dan = open(b, "dan");
  advance(seconds(20));
  EXPECT_EQ(network_.sent(), after);
  EXPECT_EQ(b.metrics.snapshot()["sse_presence_channels"], 0);
}

TEST_F(TrackerPeersTest, ANodeWithTooManyMembersTellsTheirNumber) {
  options_.max_listed = 3;
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  std::vector<Page> crowd;
  for (int i = 0; i < 5; ++i) crowd.push_back(open(b, "u" + std::to_string(i)));
  knows(ann, "many 6");
  for (int i = 1; i < 5; ++i) ASSERT_TRUE(close(b, crowd[static_cast<std::size_t>(i)], "u" + std::to_string(i)));
  knows(ann, "ann u0");
}

// The members of a node that follows no more channels are missing until it has a place.
TEST_F(TrackerPeersTest, ANodeFollowsNoMoreChannelsForOthersThanTheLimitAllows) {
  TestNode& a = add("a");
  options_.max_channels = 1;
  TestNode& b = add("b");
  Page own = open(b, "own", true, "other");
  knows(own, "own");
  Page bob = open(b, "bob");
  Page ann = open(a, "ann", true);
  knows(ann, "ann");
  advance(seconds(2));
  EXPECT_EQ(b.metrics.snapshot()["sse_presence_channels"], 1);
  EXPECT_GE(b.metrics.snapshot()["sse_presence_refused_total{by=\"node\"}"], 1);
  EXPECT_EQ(members(ann), "ann");
  ASSERT_TRUE(close(b, own, "own"));
  knows(ann, "ann bob");
  EXPECT_EQ(b.metrics.snapshot()["sse_presence_channels"], 1);
}

TEST_F(TrackerPeersTest, WhatANeighbourSendsThatIsNoMessageChangesNothing) {
  TestNode& a = add("a");
  TestNode& b = add("b");
  Page ann = open(a, "ann", true);
  Page bob = open(b, "bob");
  knows(ann, "ann bob");
  for (const char* bytes : {"", "{}", "null", R"({"watch":true,"channels":{"none":["room"]}})",
                            R"({"service":"hr","channel":"room","joined":[{"user":7}],"left":[]})",
                            R"({"service":"hr","channel":"other","joined":[{"user":"eve"}],"left":[]})"})
    a.tracker->received("b", bytes);
  Page cid = open(b, "cid");
  knows(ann, "ann bob cid");
}

}  // namespace
}  // namespace sse::presence
