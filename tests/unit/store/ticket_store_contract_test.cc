// What every store of tickets promises, run over each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "cluster/redis/redis_tickets.h"
#include "store/memory/memory_tickets.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "support/redis.h"

namespace sse::store {
namespace {

using ::testing::HasSubstr;
using testing::refusal_of;

constexpr TicketLimits kTicketLimits{4, ByteCount(64 * 1024)};
constexpr std::chrono::minutes kLong{10};

TicketKey key(const std::string& digest) {
  return {1, digest};
}

struct InMemoryOfOne {
  MemoryTickets store{kTicketLimits, Clock::system()};
};

// One Redis for all tests: each has a prefix of its own there.
struct InRedisOfAll {
  static cluster::RedisTickets::Options options() {
    static sse::testing::RedisProcess process;
    static int tests = 0;
    cluster::RedisTickets::Options options;
    options.link.address = cluster::parse_redis_address(process.url());
    options.prefix = "t" + std::to_string(++tests) + ":";
    options.limits = kTicketLimits;
    return options;
  }
  InRedisOfAll() { store.require_up(std::chrono::seconds(30)); }

  const cluster::RedisTickets::Options shared = options();
  cluster::RedisTickets store{shared};
};

template <class Kind>
class TicketStoreContract : public ::testing::Test {
 protected:
  TicketStore& store() { return kind_.store; }

  Kind kind_;
};
using TicketStores = ::testing::Types<InMemoryOfOne, InRedisOfAll>;
TYPED_TEST_SUITE(TicketStoreContract, TicketStores);

TYPED_TEST(TicketStoreContract, AValueIsReadOftenAndTakenOnce) {
  TicketStore& store = this->store();
  EXPECT_FALSE(store.find(key("a")));
  EXPECT_FALSE(store.take(key("a")));
  store.add(key("a"), "the value", kLong);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_EQ(store.find(key("a")), "the value");
  EXPECT_EQ(store.find(key("a")), "the value");
  EXPECT_EQ(store.take(key("a")), "the value");
  EXPECT_FALSE(store.take(key("a")));
  EXPECT_FALSE(store.find(key("a")));
  EXPECT_EQ(store.size(), 0U);
}

TYPED_TEST(TicketStoreContract, OfManyThatTakeAtOnceOneGetsIt) {
  TicketStore& store = this->store();
  for (int round = 0; round < 20; ++round) {
    store.add(key("a"), "x", kLong);
    std::atomic<bool> go{false};
    std::atomic<int> got{0};
    std::vector<std::thread> takers;
    for (int i = 0; i < 4; ++i) {
      takers.emplace_back([&] {
        while (!go) std::this_thread::yield();
        if (store.take(key("a"))) ++got;
      });
    }
    go = true;
    for (std::thread& taker : takers) taker.join();
    ASSERT_EQ(got, 1);
  }
}

TYPED_TEST(TicketStoreContract, ItsNumberIsLimited) {
  TicketStore& store = this->store();
  for (const char* digest : {"a", "b", "c", "d"}) store.add(key(digest), "x", kLong);
  EXPECT_THAT(refusal_of([&] { store.add(key("e"), "x", kLong); }, ErrorCode::kLimitExceeded),
              HasSubstr("--max-tickets"));
  EXPECT_FALSE(store.find(key("e")));
  EXPECT_TRUE(store.take(key("a")));
  store.add(key("e"), "x", kLong);
  EXPECT_EQ(store.find(key("e")), "x");
}

TYPED_TEST(TicketStoreContract, ItsBytesAreLimited) {
  TicketStore& store = this->store();
  store.add(key("a"), std::string(40'000, 'x'), kLong);
  EXPECT_THAT(refusal_of([&] { store.add(key("b"), std::string(40'000, 'x'), kLong); }, ErrorCode::kLimitExceeded),
              HasSubstr("--max-tickets"));
  EXPECT_TRUE(store.take(key("a")));
  store.add(key("b"), std::string(40'000, 'x'), kLong);
}

TYPED_TEST(TicketStoreContract, ATicketExpires) {
  TicketStore& store = this->store();
  store.add(key("a"), "x", std::chrono::milliseconds(1));
  EXPECT_TRUE(sse::testing::eventually([&] { return !store.find(key("a")) && store.size() == 0; }));
  EXPECT_FALSE(store.take(key("a")));
}

TEST(MemoryTickets, ExpiresByItsClockAndFreesTheRoom) {
  ManualClock clock;
  MemoryTickets store(kTicketLimits, clock);
  for (const char* digest : {"a", "b", "c"}) store.add(key(digest), "x", std::chrono::seconds(30));
  store.add(key("d"), "x", std::chrono::seconds(60));
  clock.advance(std::chrono::milliseconds(29'999));
  EXPECT_TRUE(store.find(key("a")));
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(store.find(key("a")));
  EXPECT_FALSE(store.take(key("b")));
  EXPECT_EQ(store.size(), 1U);
  store.add(key("a"), std::string(60'000, 'x'), std::chrono::seconds(1));
  clock.advance(std::chrono::seconds(30));
  EXPECT_EQ(store.size(), 0U);
}

TEST(RedisTickets, AnotherNodeTakesATicketOfThisOne) {
  InRedisOfAll one;
  cluster::RedisTickets other(one.shared);
  other.require_up(std::chrono::seconds(30));
  one.store.add(key("a"), "x", kLong);
  EXPECT_EQ(other.find(key("a")), "x");
  EXPECT_EQ(other.take(key("a")), "x");
  EXPECT_FALSE(one.store.take(key("a")));
}

TEST(RedisTickets, SaysWhatIsMissingWithoutRedisAndKeepsNoPlace) {
  cluster::RedisTickets::Options options = InRedisOfAll::options();
  options.link.address = cluster::parse_redis_address("redis://127.0.0.1:1/0");
  cluster::RedisTickets store(options);
  EXPECT_THAT(refusal_of([&] { store.add(key("a"), "x", kLong); }, ErrorCode::kUnavailable), HasSubstr("Redis"));
  EXPECT_THAT(refusal_of([&] { store.take(key("a")); }, ErrorCode::kUnavailable), HasSubstr("Redis"));
  EXPECT_EQ(store.size(), 0U);
}

}  // namespace
}  // namespace sse::store
