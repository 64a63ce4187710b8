// What every discovery promises, run over each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/error.h"
#include "cluster/memory_discovery.h"
#include "cluster/redis_discovery.h"
#include "support/redis.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::RedisProcess;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::milliseconds kTtl{700};

class InMemory {
 public:
  InMemory() { registry_->ttl = kTtl; }
  std::unique_ptr<Discovery> discovery() { return std::make_unique<MemoryDiscovery>(registry_); }

 private:
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
};

class InRedis {
 public:
  InRedis() {
    link_.start();
    link_.require_up(sse::testing::kPatience);
  }
  std::unique_ptr<Discovery> discovery() {
    RedisDiscovery::Options options;
    options.ttl = kTtl;
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

using Kinds = ::testing::Types<InMemory, InRedis>;
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
  std::atomic<bool> done{false};
  std::thread heart([&] {
    while (!done) {
      a->refresh({});
      std::this_thread::sleep_for(50ms);
    }
  });
  try {
    other->join("a", {});
    ADD_FAILURE() << "two nodes are called a";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConflict);
  }
  done = true;
  heart.join();
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
  ASSERT_TRUE(eventually([&] {
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
  ASSERT_TRUE(eventually([&] {
    try {
      return after->join("a", {}) == number;
    } catch (const Error&) {
      return false;
    }
  }));
}

}  // namespace
}  // namespace sse::cluster
