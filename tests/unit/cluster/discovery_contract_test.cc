// What every discovery promises, run over each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>

#include "base/error.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/static_discovery.h"
#include "cluster/nacos/nacos_discovery.h"
#include "cluster/redis/redis_discovery.h"
#include "support/manual_time.h"
#include "support/memory_discovery.h"
#include "support/nacos.h"
#include "support/redis.h"
#include "support/relay.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::FakeNacos;
using sse::testing::Moves;
using sse::testing::RedisProcess;
using sse::testing::while_time_passes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::milliseconds kTtl{700};

// What the kinds have in common: a clock of their own, and time that passes only where a test waits.
class Timed {
 public:
  /// Joins, which may take time; `meanwhile` runs as time passes.
  unsigned join(Discovery& discovery, const std::string& id, const std::function<void()>& meanwhile) {
    return while_time_passes(
        clock_, [&] { return discovery.join(id, {}); }, meanwhile);
  }
  bool eventually(const std::function<bool()>& condition) { return clock_.advance_until(10ms, condition); }

 protected:
  ManualClock clock_;
};

class InMemory : public Timed {
 public:
  InMemory() { registry_->ttl = kTtl; }
  std::unique_ptr<Discovery> discovery() { return std::make_unique<MemoryDiscovery>(registry_, clock_); }

 private:
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
};

// Entries live by Redis' clock, which tests cannot set.
class InRedis : public Timed {
 public:
  InRedis() {
    link_.start();
    link_.require_up(sse::testing::kTimeout);
  }
  std::unique_ptr<Discovery> discovery() {
    RedisDiscovery::Options options;
    options.ttl = kTtl;
    options.clock = &clock_;
    return std::make_unique<RedisDiscovery>(link_, options);
  }

 private:
  RedisLinkOptions options() const {
    RedisLinkOptions options;
    options.address = parse_redis_address(redis_.url());
    return options;
  }
  RedisProcess redis_;
  RedisLink link_{options(), RedisLink::Mode::kCommands, nullptr};
};

// Nodes whose buses exist, so that they can be asked whether they live.
class LivingNodes {
 public:
  NacosDiscovery::Liveness probe_liveness(const std::string& address, const std::string&, const std::string& run) {
    const MutexLock lock(mutex_);
    const auto found = runs_.find(address);
    return found != runs_.end() && found->second == run ? NacosDiscovery::Liveness::kAlive
                                                        : NacosDiscovery::Liveness::kDead;
  }
  void add(const std::string& address, const std::string& run) {
    const MutexLock lock(mutex_);
    runs_[address] = run;
  }
  void remove(const std::string& address) {
    const MutexLock lock(mutex_);
    runs_.erase(address);
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::string> runs_ GUARDED_BY(mutex_);
};

// With the lag that a Nacos has between a change and its lists.
template <int Generation>
class InNacosStandIn : public Timed {
 public:
  class OfNode final : public Discovery {
   public:
    OfNode(InNacosStandIn& kind, const NacosDiscovery::Options& options)
        : kind_(kind), address_(options.address), discovery_(options) {
      kind_.live_nodes_->add(options.address, options.run);
    }
    ~OfNode() override { kind_.live_nodes_->remove(address_); }
    OfNode(const OfNode&) = delete;
    OfNode& operator=(const OfNode&) = delete;
    unsigned join(const std::string& id, const event::Json& facts) override {
      const unsigned number = while_time_passes(
          kind_.clock_, [&] { return discovery_.join(id, facts); }, kind_.meanwhile_, Moves::kForSleepers);
      settle();
      return number;
    }
    void refresh(const event::Json& facts) override {
      discovery_.refresh(facts);
      settle();
    }
    void leave() noexcept override {
      discovery_.leave();
      settle();
    }
    std::vector<sse::cluster::Node> nodes() override { return discovery_.nodes(); }

   private:
    // What other nodes see comes late with Nacos; the contract is about what they see.
    void settle() const { kind_.clock_.advance(kLag); }

    InNacosStandIn& kind_;
    const std::string address_;
    NacosDiscovery discovery_;
  };

  /// Its nodes have time pass by themselves while they join.
  unsigned join(Discovery& discovery, const std::string& id, const std::function<void()>& meanwhile) {
    meanwhile_ = meanwhile;
    const std::shared_ptr<void> after(nullptr, [this](void*) { meanwhile_ = nullptr; });
    return discovery.join(id, {});
  }
  std::unique_ptr<Discovery> discovery() {
    NacosDiscovery::Options options;
    options.nacos = {parse_nacos_address(nacos_.url()), sse::testing::kTimeout, &clock_};
    options.address = "127.0.0.1:" + std::to_string(++port_);
    options.secret = "secret";
    options.run = "run " + std::to_string(port_);
    options.beat = 20ms;
    options.unhealthy_after = kTtl;
    options.removed_after = 2 * kTtl;
    options.facts_every = 0ms;
    options.probe_liveness = [live_nodes = live_nodes_](const auto& address, const auto& id, const auto& run) {
      return live_nodes->probe_liveness(address, id, run);
    };
    return std::make_unique<OfNode>(*this, options);
  }

 private:
  static constexpr std::chrono::milliseconds kLag{50};
  FakeNacos::Options stand_in() const {
    FakeNacos::Options options;
    options.clock = &clock_;
    options.generation = Generation;
    options.list_lag = kLag / 2;
    options.check_every = kLag;
    return options;
  }
  std::function<void()> meanwhile_;
  FakeNacos nacos_{stand_in()};
  const std::shared_ptr<LivingNodes> live_nodes_ = std::make_shared<LivingNodes>();
  int port_ = 7600;
};

// Three nodes at addresses that all know.
class Static : public Timed {
 public:
  class OfNode final : public Discovery {
   public:
    OfNode(const HttpBus::Options& options, const std::vector<std::string>& all) : bus_(options, metrics_) {
      addresses_ = all;
    }
    ~OfNode() override { bus_.stop(); }
    OfNode(const OfNode&) = delete;
    OfNode& operator=(const OfNode&) = delete;
    HttpBus& bus() { return bus_; }
    void start() {
      bus_.start(deaf_);
      StaticDiscovery::Options options;
      options.addresses = addresses_;
      options.secret = "secret";
      options.ttl = kTtl;
      discovery_ = std::make_unique<StaticDiscovery>(bus_, options);
      discovery_->nodes();  // it looks for the others from now on
    }
    unsigned join(const std::string& id, const event::Json& facts) override { return discovery_->join(id, facts); }
    void refresh(const event::Json& facts) override { discovery_->refresh(facts); }
    void leave() noexcept override { discovery_->leave(); }
    std::vector<sse::cluster::Node> nodes() override { return discovery_->nodes(); }

   private:
    struct IgnoreCommands final : Bus::Receiver {
      void received(std::vector<Bus::Incoming>, Bus::ReplyBatch) override {}
    };
    IgnoreCommands deaf_;
    observe::Registry metrics_;
    HttpBus bus_;
    std::vector<std::string> addresses_;
    std::unique_ptr<StaticDiscovery> discovery_;
  };

  Static() {
    std::vector<std::string> all;
    for (const auto& relay : relays_) all.push_back(relay.address());
    for (auto& relay : relays_) {
      HttpBus::Options options;
      options.node = relay.address() + "~1";
      options.listen = "127.0.0.1:0";
      options.advertise = relay.address();
      options.secret = "secret";
      options.clock = &clock_;
      options.ping = 20ms;
      options.link.backoff_most = 50ms;
      options.link.answer_timeout = sse::testing::kTimeout;
      nodes_.push_back(std::make_unique<OfNode>(options, all));
      relay.set_target(nodes_.back()->bus().listening());
    }
    for (const auto& node : nodes_) node->start();
    for (const auto& node : nodes_) {
      EXPECT_TRUE(eventually([&] {
        const auto seen = node->bus().seen();
        return seen.size() == 2 && seen[0].up && seen[1].up;
      }));
    }
  }
  std::unique_ptr<Discovery> discovery() {
    auto next = std::move(nodes_.front());
    nodes_.erase(nodes_.begin());
    return next;
  }

 private:
  std::array<sse::testing::Relay, 3> relays_;
  std::vector<std::unique_ptr<OfNode>> nodes_;
};

std::vector<std::string> ids(Discovery& discovery) {
  std::vector<std::string> ids;
  for (const Node& node : discovery.nodes()) ids.push_back(node.id);
  return ids;
}

template <class Kind>
class DiscoveryContract : public ::testing::Test {
 protected:
  Kind kind_;
};

using Kinds = ::testing::Types<InMemory, InRedis, InNacosStandIn<1>, InNacosStandIn<2>, InNacosStandIn<3>, Static>;
TYPED_TEST_SUITE(DiscoveryContract, Kinds);

TYPED_TEST(DiscoveryContract, ShowsEveryNodeToAll) {
  auto a = this->kind_.discovery();
  auto b = this->kind_.discovery();
  auto watcher = this->kind_.discovery();
  EXPECT_THAT(watcher->nodes(), IsEmpty());
  const unsigned second = b->join("b", {{"url", "http://b"}});
  const unsigned first = a->join("a:1", {{"url", "http://a"}});
  EXPECT_NE(first, second);
  const std::vector<Node> nodes = watcher->nodes();
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].id, "a:1");
  EXPECT_EQ(nodes[0].number, first);
  EXPECT_EQ(nodes[0].facts, (event::Json{{"url", "http://a"}}));
  EXPECT_EQ(nodes[1].id, "b");
  EXPECT_EQ(nodes[1].number, second);
}

TYPED_TEST(DiscoveryContract, ShowsTheLatestFacts) {
  auto a = this->kind_.discovery();
  a->join("a", {{"connections", 1}});
  a->refresh({{"connections", 2}});
  EXPECT_EQ(a->nodes().at(0).facts, (event::Json{{"connections", 2}}));
}

TYPED_TEST(DiscoveryContract, RefusesASecondNodeWithTheSameId) {
  auto a = this->kind_.discovery();
  auto other = this->kind_.discovery();
  const unsigned number = a->join("a", {});
  try {
    this->kind_.join(*other, "a", [&] { a->refresh({}); });
    ADD_FAILURE() << "two nodes are called a";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConflict);
  }
  // Nor does the second's end take the first out.
  other->leave();
  EXPECT_THAT(ids(*a), ElementsAre("a"));
  a->leave();
  EXPECT_EQ(other->join("a", {}), number);
}

TYPED_TEST(DiscoveryContract, ForgetsANodeThatLeaves) {
  auto a = this->kind_.discovery();
  auto b = this->kind_.discovery();
  a->join("a", {});
  b->join("b", {});
  a->leave();
  EXPECT_THAT(ids(*b), ElementsAre("b"));
}

TYPED_TEST(DiscoveryContract, ForgetsANodeThatIsSilentAndTakesItBack) {
  auto a = this->kind_.discovery();
  auto b = this->kind_.discovery();
  const unsigned number = a->join("a", {});
  b->join("b", {});
  ASSERT_TRUE(this->kind_.eventually([&] {
    b->refresh({});
    return ids(*b) == std::vector<std::string>{"b"};
  }));
  // It was only frozen.
  a->refresh({});
  EXPECT_THAT(ids(*b), ElementsAre("a", "b"));
  EXPECT_EQ(b->nodes().at(0).number, number);
}

TYPED_TEST(DiscoveryContract, GivesARestartedNodeItsNumberAgain) {
  auto before = this->kind_.discovery();
  const unsigned number = before->join("a", {});
  before.reset();  // as kill -9 would
  auto after = this->kind_.discovery();
  ASSERT_TRUE(this->kind_.eventually([&] {
    try {
      return this->kind_.join(*after, "a", {}) == number;
    } catch (const Error&) {
      return false;
    }
  }));
}

}  // namespace
}  // namespace sse::cluster
