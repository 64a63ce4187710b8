// What every bus promises, run over each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/mutex.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/redis/redis_bus.h"
#include "support/memory_bus.h"
#include "support/redis.h"
#include "support/relay.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::RedisProcess;
using sse::testing::Relay;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr auto kTimeout = sse::testing::kTimeout;

class InMemory {
 public:
  std::unique_ptr<Bus> bus(const std::string& node) { return std::make_unique<MemoryBus>(exchange_, node); }
  void wait_up(Bus&) {}
  void cut() { exchange_->cut(true); }
  void restore() { exchange_->cut(false); }

 private:
  std::shared_ptr<MemoryExchange> exchange_ = std::make_shared<MemoryExchange>();
};

class OverRedis {
 public:
  std::unique_ptr<Bus> bus(const std::string& node) {
    RedisBus::Options options;
    options.link.address = parse_redis_address(redis_.url());
    options.link.answer_timeout = 1000ms;
    options.link.backoff_most = 100ms;
    options.node = node;
    return std::make_unique<RedisBus>(options);
  }
  void wait_up(Bus& bus) { static_cast<RedisBus&>(bus).require_up(kTimeout); }
  void cut() { redis_.kill(); }
  void restore() { redis_.start(); }

 private:
  RedisProcess redis_;
};

// Every node behind a relay of its own, so that the network can break.
class OverHttp {
 public:
  std::unique_ptr<Bus> bus(const std::string& node) {
    const auto relay = std::make_shared<Relay>();
    HttpBus::Options options;
    options.node = node;
    options.listen = "127.0.0.1:0";
    options.advertise = relay->address();
    options.secret = "secret of " + node;
    options.ping = 100ms;
    options.lease = 30'000ms;  // the machine may be slow
    options.link.backoff_most = 100ms;
    options.link.answer_timeout = kTimeout;
    auto bus = std::make_unique<HttpBus>(options, metrics_);
    relay->set_target(bus->listening());
    relays_.push_back(relay);
    // Those before hear of it when it posts to them.
    bus->set_peers(peers_);
    peers_.push_back({bus->address(), bus->secret(), node});
    return bus;
  }
  void wait_up(Bus& bus) {
    auto& mesh = static_cast<HttpBus&>(bus);
    all_.push_back(&mesh);
    for (HttpBus* one : all_) ASSERT_TRUE(one->settle(kTimeout));
  }
  void cut() {
    for (const auto& relay : relays_) relay->cut();
  }
  void restore() {
    for (const auto& relay : relays_) relay->restore();
  }

 private:
  observe::Registry metrics_;
  std::vector<std::shared_ptr<Relay>> relays_;
  std::vector<HttpBus::Peer> peers_;
  std::vector<HttpBus*> all_;
};

// Answers "<node>:<bytes>", or keeps what it got.
struct Node final : Bus::Receiver {
  Node(std::unique_ptr<Bus> with, std::string called) : bus(std::move(with)), name(std::move(called)) {
    bus->start(*this);
  }
  ~Node() { bus->stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch) override {
    const MutexLock lock(mutex);
    for (Bus::Incoming& command : commands) {
      seen.push_back(command.origin + ">" + command.bytes);
      if (silent) {
        kept.push_back(std::move(command.answer));
      } else {
        command.answer(name + ":" + command.bytes);
      }
    }
  }
  void bus_up() override { ++ups; }
  void bus_down(const std::string&) override { ++downs; }

  bool subscribe(const std::vector<std::string>& topics) {
    const auto result = std::make_shared<std::atomic<int>>(-1);
    bus->subscribe(topics, [result](bool stands) { *result = stands ? 1 : 0; });
    EXPECT_TRUE(eventually([&] { return *result != -1; }));
    return *result == 1;
  }
  Replies start_call(const std::string& topic, const std::string& bytes, std::chrono::milliseconds timeout = kTimeout) {
    return bus->start_call({{topic, bytes}})->wait(timeout).front();
  }
  std::vector<std::string> saw() {
    const MutexLock lock(mutex);
    return seen;
  }

  std::unique_ptr<Bus> bus;
  const std::string name;
  std::atomic<bool> silent{false};
  std::atomic<int> ups{0};
  std::atomic<int> downs{0};
  Mutex mutex;
  std::vector<std::string> seen GUARDED_BY(mutex);
  std::vector<std::function<void(std::string)>> kept GUARDED_BY(mutex);
};

std::vector<std::string> texts(const Replies& answers) {
  std::vector<std::string> texts;
  for (const auto& [node, bytes] : answers.answers) texts.push_back(node + "=" + bytes);
  return texts;
}

template <class Kind>
class BusContract : public ::testing::Test {
 protected:
  std::unique_ptr<Node> node(const std::string& name) {
    auto node = std::make_unique<Node>(kind_.bus(name), name);
    kind_.wait_up(*node->bus);
    return node;
  }
  Kind kind_;
};

using Kinds = ::testing::Types<InMemory, OverRedis, OverHttp>;
TYPED_TEST_SUITE(BusContract, Kinds);

TYPED_TEST(BusContract, ReachesThoseWhoSubscribedAndNoOthers) {
  auto a = this->node("a");
  auto b = this->node("b");
  auto c = this->node("c");
  auto d = this->node("d");
  ASSERT_TRUE(b->subscribe({"t", "u"}));
  ASSERT_TRUE(c->subscribe({"t"}));
  const Replies answers = a->start_call("t", "hi");
  EXPECT_THAT(texts(answers), UnorderedElementsAre("b=b:hi", "c=c:hi"));
  EXPECT_EQ(answers.silent, 0u);
  EXPECT_EQ(answers.failure, "");
  EXPECT_THAT(texts(a->start_call("u", "hi")), ElementsAre("b=b:hi"));
  EXPECT_THAT(b->saw(), ElementsAre("a>hi", "a>hi"));
  EXPECT_THAT(d->saw(), IsEmpty());
}

TYPED_TEST(BusContract, AnswersAtOnceWithoutSubscribers) {
  auto a = this->node("a");
  const Replies answers = a->start_call("unwanted", "hi");
  EXPECT_THAT(answers.answers, IsEmpty());
  EXPECT_EQ(answers.silent, 0u);
  EXPECT_EQ(answers.failure, "");
}

TYPED_TEST(BusContract, NeverGivesANodeItsOwnCommands) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(a->subscribe({"t"}));
  const Replies alone = a->start_call("t", "1");
  EXPECT_THAT(alone.answers, IsEmpty());
  EXPECT_EQ(alone.silent, 0u);
  ASSERT_TRUE(b->subscribe({"t"}));
  EXPECT_THAT(texts(a->start_call("t", "2")), ElementsAre("b=b:2"));
  EXPECT_THAT(a->saw(), IsEmpty());
}

TYPED_TEST(BusContract, CarriesAnyBytesAndManyCommandsInOrder) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t"}));
  std::vector<Command> commands;
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string bytes = std::string("\0\n\r ", 4) + std::to_string(i);
    commands.push_back({"t", bytes});
    expected.push_back("a>" + bytes);
  }
  const std::vector<Replies> all = a->bus->start_call(commands)->wait(kTimeout);
  ASSERT_THAT(all, SizeIs(1000));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(texts(all[static_cast<std::size_t>(i)]),
                ElementsAre("b=b:" + commands[static_cast<std::size_t>(i)].bytes));
  }
  EXPECT_EQ(b->saw(), expected);
}

TYPED_TEST(BusContract, CarriesCommandsToSeveralTopicsInTheOrderTheyWereSentIn) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t", "u"}));
  std::vector<Command> commands;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    // Runs of one topic, some of them with far more bytes than fit one message; among them what no node wants.
    const std::string topic = i % 7 < 3 ? "t" : i % 7 < 6 ? "u" : "unwanted";
    const std::string bytes = std::to_string(i) + std::string(i % 50 < 5 ? 200'000 : 10, '.');
    commands.push_back({topic, bytes});
    if (topic != "unwanted") expected.push_back("a>" + bytes);
  }
  const std::vector<Replies> all = a->bus->start_call(commands)->wait(kTimeout);
  ASSERT_THAT(all, SizeIs(200));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].failure, "");
    if (commands[i].topic == "unwanted") {
      EXPECT_THAT(all[i].answers, IsEmpty());
    } else {
      ASSERT_TRUE(texts(all[i]) == std::vector<std::string>{"b=b:" + commands[i].bytes}) << i;
    }
  }
  EXPECT_TRUE(b->saw() == expected);
}

TYPED_TEST(BusContract, TellsOfTheAnswersInsteadOfWaitingForThem) {
  auto a = this->node("a");
  auto b = this->node("b");
  auto c = this->node("c");
  ASSERT_TRUE(b->subscribe({"t", "u"}));
  ASSERT_TRUE(c->subscribe({"t"}));
  c->silent = true;
  struct Told {
    Mutex mutex;
    std::vector<Replies> answers GUARDED_BY(mutex);
    std::atomic<int> times{0};

    std::function<void(std::vector<Replies>)> ear() {
      return [this](std::vector<Replies> all) {
        const MutexLock lock(mutex);
        answers = std::move(all);
        ++times;
      };
    }
  };
  Told at_once, all, some;
  a->bus->start_call({})->then(kTimeout, at_once.ear());
  EXPECT_EQ(at_once.times, 1);
  a->bus->start_call({{"u", "1"}, {"unwanted", "2"}, {"u", "3"}})->then(kTimeout, all.ear());
  a->bus->start_call({{"t", "4"}})->then(100ms, some.ear());
  ASSERT_TRUE(eventually([&] { return all.times == 1 && some.times == 1; }));
  {
    const MutexLock lock(all.mutex);
    ASSERT_THAT(all.answers, SizeIs(3));
    EXPECT_THAT(texts(all.answers[0]), ElementsAre("b=b:1"));
    EXPECT_THAT(texts(all.answers[1]), IsEmpty());
    EXPECT_THAT(texts(all.answers[2]), ElementsAre("b=b:3"));
  }
  {
    const MutexLock lock(some.mutex);
    EXPECT_EQ(some.answers.at(0).silent, 1u);
  }
  // The end of the bus is the end of all waiting.
  Told last;
  a->bus->start_call({{"t", "5"}})->then(std::chrono::hours(1), last.ear());
  a->bus->stop();
  EXPECT_EQ(last.times, 1);
  EXPECT_EQ(all.times, 1);
  EXPECT_EQ(some.times, 1);
}

TYPED_TEST(BusContract, StopsComingAfterUnsubscribe) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t", "other"}));
  b->bus->unsubscribe({"t"});
  ASSERT_TRUE(b->subscribe({"later"}));
  EXPECT_THAT(a->start_call("t", "hi").answers, IsEmpty());
  EXPECT_THAT(a->start_call("other", "hi").answers, SizeIs(1));
}

TYPED_TEST(BusContract, CountsThoseWhoDoNotAnswerInTime) {
  auto a = this->node("a");
  auto b = this->node("b");
  auto c = this->node("c");
  ASSERT_TRUE(b->subscribe({"t"}));
  ASSERT_TRUE(c->subscribe({"t"}));
  c->silent = true;
  const Replies answers = a->start_call("t", "hi", 300ms);
  EXPECT_THAT(texts(answers), ElementsAre("b=b:hi"));
  EXPECT_EQ(answers.silent, 1u);
  // A late answer does no harm.
  {
    const MutexLock lock(c->mutex);
    for (const auto& answer : c->kept) answer("late");
  }
  c->silent = false;
  EXPECT_THAT(texts(a->start_call("t", "2")), UnorderedElementsAre("b=b:2", "c=c:2"));
}

TYPED_TEST(BusContract, AnswersMayBeGivenLaterFromAnotherThread) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t"}));
  b->silent = true;
  const auto asked = a->bus->start_call({{"t", "hi"}});
  ASSERT_TRUE(eventually([&] { return b->saw().size() == 1; }));
  std::thread([&] {
    const MutexLock lock(b->mutex);
    b->kept.front()("later");
  }).join();
  EXPECT_THAT(texts(asked->wait(kTimeout).front()), ElementsAre("b=later"));
}

TYPED_TEST(BusContract, AnAnswerMayOutliveTheBus) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t"}));
  b->silent = true;
  EXPECT_EQ(a->start_call("t", "hi", 200ms).silent, 1u);
  std::vector<std::function<void(std::string)>> kept;
  {
    const MutexLock lock(b->mutex);
    kept.swap(b->kept);
  }
  b.reset();
  a.reset();
  ASSERT_THAT(kept, SizeIs(1));
  kept.front()("after the end");
}

TYPED_TEST(BusContract, TwoNodesAskEachOtherFromManyThreads) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(a->subscribe({"for-a"}));
  ASSERT_TRUE(b->subscribe({"for-b"}));
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Node& from = t % 2 == 0 ? *a : *b;
      const std::string to = t % 2 == 0 ? "b" : "a";
      for (int i = 0; i < 100; ++i) {
        const std::string bytes = std::to_string(t) + "." + std::to_string(i);
        if (texts(from.start_call("for-" + to, bytes)) == std::vector<std::string>{to + "=" + to + ":" + bytes})
          ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

TYPED_TEST(BusContract, SaysWhenItCannotCarryAndTakesItsTopicsUpAgain) {
  auto a = this->node("a");
  auto b = this->node("b");
  ASSERT_TRUE(b->subscribe({"t"}));
  const int ups = a->ups;
  const int ups_of_b = b->ups;
  this->kind_.cut();
  ASSERT_TRUE(eventually([&] { return a->downs == 1 && b->downs == 1; }));
  EXPECT_NE(a->start_call("t", "lost").failure, "");
  EXPECT_NE(a->bus->why_down(), "");
  EXPECT_FALSE(b->subscribe({"while-cut"}));
  this->kind_.restore();
  // Both ways: what b hears it must be able to answer.
  ASSERT_TRUE(eventually(
      [&] { return a->ups > ups && b->ups > ups_of_b && a->bus->why_down().empty() && b->bus->why_down().empty(); }));
  EXPECT_THAT(texts(a->start_call("t", "1")), ElementsAre("b=b:1"));
  EXPECT_THAT(texts(a->start_call("while-cut", "2")), ElementsAre("b=b:2"));
}

}  // namespace
}  // namespace sse::cluster
