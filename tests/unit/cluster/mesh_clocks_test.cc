// Two nodes of a mesh, over real connections, whose clocks are five minutes apart: as after a virtual machine was woken
// up, or where NTP does not run. What one node accepts lives and dies by the clock of that node alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/mesh_repository.h"
#include "net/worker_pool.h"
#include "store/memory/memory_repository.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using event::TargetKind;
using store::PendingMessage;
using store::Recipient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ServiceName kService("s");
const Recipient kUser{TargetKind::kUser, "1"};

class Node final : public Bus::Receiver {
 public:
  Node(const std::string& name, unsigned number, std::chrono::milliseconds ahead)
      : clock(ManualClock::kStart + ahead),
        ids_(number, 0, clock),
        own(ids_, {}),
        bus(options(name, clock), metrics_),
        interest_(bus),
        store({own, own, own, own}, bus, interest_, {2s, [] {}, &clock}) {
    bus.start(*this);
    interest_.acquire({broadcast_topic()}, [] {});
    store.start();
  }
  ~Node() {
    bus.stop();
    workers_.stop();
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch) override {
    for (Bus::Incoming& command : commands) {
      workers_.submit([this, asked = std::get<StoreCommand>(decode(command.bytes)).bytes,
                       answer = std::move(command.answer)] { answer(store.handle(asked)); });
    }
  }

  HttpBus::Peer as_peer() const { return {bus.address(), bus.secret(), bus.name()}; }
  MessageId add(const std::string& data, std::chrono::milliseconds ttl) {
    return store.add(
        {kService, {kUser.kind, {kUser.name}, false}, "e", data, clock.wall_now(), clock.wall_now() + ttl});
  }
  std::vector<std::string> pending(std::size_t limit = 100, MessageId after = {}) {
    std::vector<std::string> data;
    for (const PendingMessage& message :
         store.pending(kService, std::vector{kUser}, after, limit, mebibytes(1), clock.wall_now()))
      data.push_back(message.data);
    return data;
  }

  ManualClock clock;

 private:
  static HttpBus::Options options(const std::string& name, const Clock& clock) {
    HttpBus::Options options;
    options.node = name + "~1";
    options.listen = "127.0.0.1:0";
    options.secret = "secret of " + name;
    options.clock = &clock;
    return options;
  }

  IdGenerator ids_;
  observe::Registry metrics_;
  net::WorkerPool workers_{"answers", 0, 4, 1000};

 public:
  store::MemoryRepository own;
  HttpBus bus;

 private:
  Interest interest_;

 public:
  MeshRepository store;
};

class MeshClocksTest : public ::testing::Test {
 protected:
  MeshClocksTest() {
    behind_.bus.set_peers({ahead_.as_peer()});
    ahead_.bus.set_peers({behind_.as_peer()});
    EXPECT_TRUE(behind_.bus.settle(1h));
    EXPECT_TRUE(ahead_.bus.settle(1h));
  }
  // Waits for a condition; time goes on for both meanwhile, and their distance stays.
  bool eventually(const std::function<bool()>& condition) {
    return behind_.clock.advance_until(1ms, [&] {
      ahead_.clock.advance(1ms);
      return condition();
    });
  }

  Node behind_{"behind", 1, 0s};
  Node ahead_{"ahead", 2, 5min};
};

TEST_F(MeshClocksTest, WhatExpiresInAMinuteIsFoundFromANodeForWhichThatMinuteIsLongOver) {
  behind_.add("one", 60s);
  EXPECT_THAT(ahead_.pending(), ElementsAre("one"));
  EXPECT_THAT(behind_.pending(), ElementsAre("one"));
}

TEST_F(MeshClocksTest, ItExpiresByTheClockOfTheNodeThatAcceptedIt) {
  behind_.add("short", 60s);
  ahead_.add("long", 10min);
  behind_.clock.advance(59s);
  EXPECT_THAT(ahead_.pending(), SizeIs(2));
  behind_.clock.advance(2s);
  EXPECT_THAT(ahead_.pending(), ElementsAre("long"));
  EXPECT_THAT(behind_.pending(), ElementsAre("long"));
  EXPECT_EQ(behind_.store.expire(behind_.clock.wall_now()), 1U);
  EXPECT_EQ(ahead_.store.expire(ahead_.clock.wall_now()), 0U);
}

TEST_F(MeshClocksTest, ANodeThatIsAheadExpiresNothingOfOthers) {
  const MessageId id = behind_.add("one", 60s);
  EXPECT_EQ(ahead_.store.expire(ahead_.clock.wall_now()), 0U);
  EXPECT_THAT(behind_.pending(), ElementsAre("one"));
  ahead_.store.confirm(kService, kUser, id);
  EXPECT_TRUE(eventually([&] { return behind_.own.size() == 0; }));
  EXPECT_THAT(ahead_.pending(), IsEmpty());
}

TEST_F(MeshClocksTest, IdsSayWhenTheirNodeMadeThemAndPagesMissNothing) {
  const MessageId late = ahead_.add("late", 10min);
  const MessageId early = behind_.add("early", 10min);
  EXPECT_EQ(IdGenerator::time_of(late.value()) - IdGenerator::time_of(early.value()), 5min);
  for (Node* node : {&behind_, &ahead_}) {
    EXPECT_THAT(node->pending(1), ElementsAre("early"));
    EXPECT_THAT(node->pending(1, early), ElementsAre("late"));
    EXPECT_THAT(node->pending(1, late), IsEmpty());
  }
}

TEST_F(MeshClocksTest, EachPingsByItsOwnClock) {
  const auto last_heard = [](const Node& node) { return node.bus.seen().at(0).last_heard; };
  const SteadyTime ahead_heard = last_heard(ahead_);
  const SteadyTime before = last_heard(behind_);
  // Long enough for a hundred pings; the other one's time stands still, and it answers all the same.
  for (int i = 0; i < 100; ++i) behind_.clock.advance(1s);
  EXPECT_TRUE(eventually([&] { return last_heard(behind_) > before + 90s; }));
  EXPECT_TRUE(behind_.bus.seen().at(0).up);
  EXPECT_TRUE(ahead_.bus.seen().at(0).up);
  EXPECT_LT(last_heard(ahead_), ahead_heard + 90s);
  behind_.add("one", 60s);
  EXPECT_THAT(ahead_.pending(), ElementsAre("one"));
}

}  // namespace
}  // namespace sse::cluster
