// What only the bus over HTTP has: peers that come, go and break one by one. The rest is in bus_contract_test.cc.
#include "cluster/mesh/http_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>

#include "base/mutex.h"
#include "cluster/mesh/mesh_message.h"
#include "cluster/mesh/peer_link.h"
#include "support/eventually.h"
#include "support/relay.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::kTimeout;
using sse::testing::Relay;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Node final : public Bus::Receiver {
 public:
  struct Setting {
    std::string name;
    std::string secret;
    bool asks_only = false;
    std::chrono::milliseconds answer_timeout = kTimeout;
    decltype(PeerLink::Options::forwarder) forwarder = {};
  };
  explicit Node(const Setting& setting) : bus(options(setting, relay), metrics_) {
    if (!setting.asks_only) relay.set_target(bus.listening());
    bus.start(*this);
  }
  ~Node() { bus.stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch) override {
    for (Bus::Incoming& command : commands) {
      if (keep) {
        const MutexLock lock(mutex);
        kept.push_back(std::move(command.answer));
      } else {
        command.answer(command.bytes + "!");
      }
      ++received_;
    }
  }
  void bus_up() override { ++ups; }

  HttpBus::Peer as_peer() const { return {bus.address(), bus.secret(), bus.name()}; }
  bool subscribe(const std::string& topic) {
    const auto result = std::make_shared<std::atomic<int>>(-1);
    bus.subscribe({topic}, [result](bool stands) { *result = stands ? 1 : 0; });
    EXPECT_TRUE(eventually([&] { return *result != -1; }));
    return *result == 1;
  }
  Replies start_call(const std::string& topic, std::chrono::milliseconds timeout = kTimeout) {
    return bus.start_call({{topic, "x"}})->wait(timeout).front();
  }
  std::string why(const Node& other) const {
    for (const HttpBus::Seen& seen : bus.seen()) {
      if (seen.address == other.bus.address()) return seen.why;
    }
    return "not known";
  }

  Relay relay;
  std::atomic<int> received_{0};
  std::atomic<int> ups{0};
  std::atomic<bool> keep{false};
  Mutex mutex;
  std::vector<std::function<void(std::string)>> kept GUARDED_BY(mutex);

 private:
  static HttpBus::Options options(const Setting& setting, const Relay& relay) {
    HttpBus::Options options;
    options.node = setting.name + "~1";
    options.secret = setting.secret.empty() ? "secret of " + setting.name : setting.secret;
    if (!setting.asks_only) {
      options.listen = "127.0.0.1:0";
      options.advertise = relay.address();
    }
    options.ping = 50ms;
    options.lease = 60'000ms;
    options.link.backoff_most = 100ms;
    options.link.answer_timeout = setting.answer_timeout;
    options.link.forwarder = setting.forwarder;
    return options;
  }
  observe::Registry metrics_;

 public:
  HttpBus bus;
};

TEST(HttpBus, ADeadPeerIsNamedAtOnceAndDelaysNoOther) {
  Node a({"a", ""});
  Node b({"b", ""});
  Node c({"c", ""});
  a.bus.set_peers({b.as_peer(), c.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  ASSERT_TRUE(c.subscribe("t"));
  EXPECT_THAT(a.start_call("t").answers, SizeIs(2));
  b.relay.cut();
  const Replies answers = a.start_call("t");
  EXPECT_THAT(answers.answers, SizeIs(1));
  EXPECT_EQ(answers.silent, 1u);
  EXPECT_THAT(answers.missing, ElementsAre("b~1"));
  EXPECT_EQ(answers.failure, "");
  EXPECT_EQ(a.bus.why_down(), "");
  b.relay.restore();
  EXPECT_TRUE(eventually([&] { return a.start_call("t").answers.size() == 2; }));
}

TEST(HttpBus, APeerThatSwallowsEverythingIsGivenUpAfterAWhileAndDelaysNoOther) {
  Node a({"a", "", false, 300ms});
  Node b({"b", ""});
  Node c({"c", ""});
  a.bus.set_peers({b.as_peer(), c.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  ASSERT_TRUE(c.subscribe("t"));
  b.relay.swallow();
  const Replies answers = a.start_call("t");
  EXPECT_THAT(answers.answers, SizeIs(1));
  EXPECT_THAT(answers.missing, ElementsAre("b~1"));
}

TEST(HttpBus, APeerThatWasAwayLearnsEveryTopicOldAndNew) {
  Node a({"a", ""});
  Node b({"b", ""});
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  std::vector<std::string> topics;
  for (int i = 0; i < 45'000; ++i) topics.push_back("t" + std::to_string(i));
  a.bus.subscribe(topics, [](bool) {});
  b.relay.cut();
  ASSERT_TRUE(eventually([&] { return !a.why(b).empty(); }));
  // No peer can be told now, and no caller waits for it.
  EXPECT_FALSE(a.subscribe("late"));
  a.bus.unsubscribe({"t7"});
  b.relay.restore();
  ASSERT_TRUE(eventually([&] { return a.why(b).empty(); }));
  ASSERT_TRUE(a.bus.settle(kTimeout));
  for (const std::string topic : {"late", "t0", "t44999", "t20000"})
    EXPECT_THAT(b.start_call(topic).answers, SizeIs(1)) << topic;
  EXPECT_THAT(b.start_call("t7").answers, IsEmpty());
  EXPECT_TRUE(a.subscribe("later"));
  EXPECT_THAT(b.start_call("later").answers, SizeIs(1));
}

TEST(HttpBus, WhoShowsTheWrongSecretIsRefused) {
  Node a({"a", ""});
  Node b({"b", ""});
  ASSERT_TRUE(b.subscribe("t"));
  a.bus.set_peers({{b.bus.address(), "a guess", "b"}});
  EXPECT_TRUE(eventually([&] { return a.why(b).find("refuses the secret") != std::string::npos; }));
  EXPECT_NE(a.start_call("t").failure, "");
  EXPECT_EQ(b.received_, 0);
  EXPECT_THAT(b.bus.seen(), IsEmpty());
  // Discovery tells the right one later.
  a.bus.set_peers({b.as_peer()});
  EXPECT_TRUE(eventually([&] { return a.start_call("t").answers.size() == 1; }));
}

TEST(HttpBus, ASecondRunOfANodeIsRefusedByTheFirst) {
  Node a({"a", ""});
  Node twin({"a", ""});
  HttpBus::Options options;
  options.node = "a~2";
  options.listen = "127.0.0.1:0";
  options.secret = "s";
  observe::Registry metrics;
  HttpBus second(options, metrics);
  second.start(twin);
  second.set_peers({a.as_peer()});
  EXPECT_TRUE(eventually([&] {
    const auto seen = second.seen();
    return !seen.empty() && seen[0].why.find("has the id 'a'") != std::string::npos;
  }));
  second.stop();
}

TEST(HttpBus, ANodeThatStopsSaysSoAndIsNotMissed) {
  Node a({"a", ""});
  auto b = std::make_unique<Node>(Node::Setting{"b", ""});
  a.bus.set_peers({b->as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b->bus.settle(kTimeout));
  ASSERT_TRUE(b->subscribe("t"));
  b->bus.stop();
  const Replies answers = a.start_call("t");
  EXPECT_EQ(answers.silent, 0u);
  EXPECT_EQ(answers.failure, "");
  EXPECT_THAT(a.bus.seen(), IsEmpty());
}

// Its answers come when the test lets them.
class HeldCarrier final : public PostCarrier {
 public:
  struct Gate {
    std::atomic<int> posts{0};
    std::atomic<int> open{0};  // so many may be answered
    std::atomic<bool> interrupted{false};
  };
  explicit HeldCarrier(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

  bool post(const std::string&, const std::string&, std::string& response, std::string& problem) override {
    const int mine = ++gate_->posts;
    eventually([&] { return gate_->open >= mine || gate_->interrupted; });
    if (gate_->open < mine) {
      problem = "interrupted";
      return false;
    }
    MeshMessage answer;
    answer.from = "b~1";
    response = encode(answer);
    return true;
  }
  void interrupt() override { gate_->interrupted = true; }

 private:
  const std::shared_ptr<Gate> gate_;
};

TEST(HttpBus, AnAnswerToWhatWasPostedBeforeTakesNoGoodbyeBack) {
  const auto gate = std::make_shared<HeldCarrier::Gate>();
  Node::Setting held{"a", ""};
  held.forwarder = [gate](const auto&, const auto&) { return std::make_unique<HeldCarrier>(gate); };
  Node a(held);
  Node b({"b", ""});
  b.bus.set_peers({a.as_peer()});
  ASSERT_TRUE(b.bus.settle(kTimeout));
  ASSERT_TRUE(eventually([&] { return gate->posts == 1; }));
  EXPECT_THAT(a.bus.seen(), SizeIs(1));
  b.bus.stop();
  EXPECT_THAT(a.bus.seen(), IsEmpty());
  gate->open = 1;
  // The next one is posted behind the answer.
  ASSERT_TRUE(eventually([&] { return gate->posts == 2; }));
  EXPECT_THAT(a.bus.seen(), IsEmpty());
  // Another run may come back at the address.
  gate->open = 2;
  EXPECT_TRUE(eventually([&] { return a.bus.seen().size() == 1; }));
}

TEST(HttpBus, AProgramThatOnlyAsksGetsItsAnswersInTheResponse) {
  Node a({"a", ""});
  Node b({"b", ""});
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  Node client({"client", "", true});
  client.bus.set_hold(kTimeout);
  client.bus.set_peers({a.as_peer(), b.as_peer()});
  const Replies answers = client.start_call("t");
  ASSERT_THAT(answers.answers, SizeIs(1));
  EXPECT_EQ(answers.answers[0].node, "b~1");
  EXPECT_EQ(answers.answers[0].bytes, "x!");
  // Also when it takes its time.
  b.keep = true;
  const auto asked = client.bus.start_call({{"t", "x"}});
  ASSERT_TRUE(eventually([&] { return b.received_ == 2; }));
  {
    const MutexLock lock(b.mutex);
    b.kept.front()("late");
  }
  EXPECT_EQ(asked->wait(kTimeout).front().answers.at(0).bytes, "late");
  // No peer posts to it.
  EXPECT_THAT(a.bus.seen(), SizeIs(1));
}

TEST(HttpBus, WhatAPeerWantsIsKnownAgainAfterTheConnectionBroke) {
  Node a({"a", ""});
  Node b({"b", ""});
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  a.relay.cut();  // b cannot tell a any more; a can still post
  ASSERT_TRUE(eventually([&] { return !b.bus.why_down().empty(); }));
  EXPECT_FALSE(b.subscribe("meanwhile"));
  const int ups = b.ups;
  a.relay.restore();
  ASSERT_TRUE(eventually([&] { return b.ups > ups; }));
  EXPECT_THAT(a.start_call("meanwhile").answers, SizeIs(1));
  EXPECT_THAT(a.start_call("unwanted").answers, IsEmpty());
}

TEST(HttpBus, AnUnknownPeerThatPostsIsAPeerAndOneThatIsSilentIsForgotten) {
  Node a({"a", ""});
  Node b({"b", ""});
  ASSERT_TRUE(a.subscribe("t"));
  b.bus.set_peers({a.as_peer()});
  EXPECT_TRUE(eventually([&] { return a.bus.seen().size() == 1; }));
  EXPECT_THAT(b.start_call("t").answers, SizeIs(1));
  // Discovery does not know it, but it lives.
  a.bus.set_peers({});
  EXPECT_THAT(a.bus.seen(), SizeIs(1));
}

}  // namespace
}  // namespace sse::cluster
