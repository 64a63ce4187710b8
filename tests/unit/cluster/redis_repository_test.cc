// What Redis does to the messages kept there: evicts, runs full, refuses, loses parts.
#include "cluster/redis/redis_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/error.h"
#include "support/redis.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::RedisProcess;
using store::MessageFilter;
using store::NewMessage;
using store::PendingMessage;
using store::Recipient;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kTimeout = sse::testing::kTimeout;
const ServiceName kService("hr");

class RedisRepositoryTest : public ::testing::Test {
 protected:
  RedisRepository::Options options() {
    RedisRepository::Options options;
    options.link.address = parse_redis_address(redis_.url());
    options.link.answer_timeout = kTimeout;
    options.look = 20ms;
    options.inspect = 50ms;
    options.on_error = [this](const std::string& sentence) {
      const std::scoped_lock lock(mutex_);
      told_.push_back(sentence);
    };
    return options;
  }
  std::vector<std::string> told() {
    const std::scoped_lock lock(mutex_);
    return told_;
  }
  bool tells(const std::string& part) {
    return eventually([&] {
      const std::vector<std::string> all = told();
      return std::ranges::any_of(all, [&](const std::string& one) { return one.find(part) != std::string::npos; });
    });
  }
  static NewMessage message(const std::string& user, const std::string& data, std::chrono::milliseconds ttl = 1h) {
    NewMessage made;
    made.service = kService;
    made.target.kind = event::TargetKind::kUser;
    made.target.names = {user};
    made.event = "e";
    made.data = data;
    made.created = wall_now();
    made.expires = made.created + ttl;
    return made;
  }
  static MessageId add(RedisRepository& repository, const NewMessage& one) {
    const auto outcomes = repository.add_all({&one, 1});
    if (outcomes.front().refusal) throw Error(outcomes.front().refusal->code, outcomes.front().refusal->sentence);
    return outcomes.front().id;
  }
  static std::vector<PendingMessage> pending(RedisRepository& repository, const std::string& user) {
    const Recipient recipient{event::TargetKind::kUser, user};
    return repository.pending(kService, {&recipient, 1}, MessageId(), 1000, mebibytes(64), wall_now());
  }
  std::string key(const std::string& rest) { return "sse:pending:" + rest; }
  // Of the only one there is.
  std::string member() {
    const std::string said = redis_.say("ZRANGE " + key("all") + " 0 0");
    return said.substr(said.find("\r\n", said.find('$')) + 2, 20);
  }
  void fill_up() { redis_.say("CONFIG SET maxmemory 1"); }
  void make_room() { redis_.say("CONFIG SET maxmemory 0"); }

  RedisProcess redis_{{"--appendfsync", "no"}};
  std::mutex mutex_;
  std::vector<std::string> told_;
};

TEST_F(RedisRepositoryTest, RefusesARedisThatThrowsMessagesAwayUnlessThatIsAllowed) {
  redis_.say("CONFIG SET maxmemory-policy allkeys-lru");
  {
    const RedisRepository unlimited(options(), kTimeout);
    EXPECT_TRUE(tells("allkeys-lru"));
  }
  redis_.say("CONFIG SET maxmemory 100mb");
  try {
    const RedisRepository refused(options(), kTimeout);
    FAIL() << "it starts";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConflict);
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("allkeys-lru"), HasSubstr("noeviction"), HasSubstr("--allow-redis-eviction")));
  }
  RedisRepository::Options allowed = options();
  allowed.allow_eviction = true;
  const RedisRepository repository(allowed, kTimeout);
  redis_.say("CONFIG SET maxmemory-policy noeviction");
  const RedisRepository again(options(), kTimeout);
}

TEST_F(RedisRepositoryTest, ExpiresThoughADeadLetterWasEvicted) {
  RedisRepository::Options few = options();
  few.limits.dead = 2;
  RedisRepository repository(few, kTimeout);
  for (int i = 0; i < 3; ++i) add(repository, message("1", std::to_string(i), 1ms));
  EXPECT_EQ(repository.expire(wall_now() + 1min), 3U);
  redis_.say("DEL " + key("dead:2"));
  for (int i = 0; i < 3; ++i) add(repository, message("1", std::to_string(i), 1ms));
  EXPECT_EQ(repository.expire(wall_now() + 1min), 3U);
  EXPECT_EQ(repository.count_dead({}), 2U);
  EXPECT_EQ(repository.purge_dead({}, {}), 2U);
  EXPECT_EQ(redis_.say("EXISTS " + key("dead-bytes")), ":0\r\n");
}

TEST_F(RedisRepositoryTest, ForgetsDeadLettersWhoseDataWasEvicted) {
  {
    RedisRepository repository(options(), kTimeout);
    for (int i = 0; i < 2; ++i) {
      NewMessage both = message("1", std::to_string(i), 1ms);
      both.target.names.emplace_back("2");
      add(repository, both);
    }
    EXPECT_EQ(repository.expire(wall_now() + 1min), 4U);
    const std::string gone = repository.list_dead({}, 0, 1).at(0).message.data.str();
    EXPECT_EQ(gone, "0");
  }
  const std::string first = redis_.say("HGET " + key("dead:1") + " payload");
  const std::string payload = first.substr(first.find("\r\n") + 2, first.rfind("\r\n") - first.find("\r\n") - 2);
  EXPECT_EQ(redis_.say("DEL " + key("dead-data:" + payload)), ":1\r\n");
  redis_.say("INCR " + key("count"));
  RedisRepository repository(options(), kTimeout);
  EXPECT_TRUE(tells("2 dead letters were lost")) << ::testing::PrintToString(told());
  EXPECT_EQ(repository.count_dead({}), 2U);
  EXPECT_EQ(repository.list_dead({}, 0, 10).at(1).message.data, "1");
  EXPECT_EQ(repository.requeue({}, {}, wall_now()).size(), 2U);
  EXPECT_EQ(redis_.say("KEYS " + key("dead-data:*")), "*0\r\n");
}

TEST_F(RedisRepositoryTest, ReadsDeadLettersThatHaveTheirDataThemselves) {
  RedisRepository repository(options(), kTimeout);
  for (int i = 0; i < 2; ++i) add(repository, message("1", std::to_string(i), 1ms));
  EXPECT_EQ(repository.expire(wall_now() + 1min), 2U);
  // As versions before made them; the data first, since a letter without either is dropped at the next look.
  redis_.say("HSET " + key("dead:1") + " data 0");
  redis_.say("HDEL " + key("dead:1") + " payload");
  const auto letters = repository.list_dead({}, 0, 10);
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[0].message.data, "0");
  EXPECT_EQ(letters[1].message.data, "1");
  EXPECT_EQ(repository.requeue({}, {}, wall_now()).size(), 2U);
  EXPECT_EQ(repository.count_dead({}), 0U);
  EXPECT_EQ(redis_.say("EXISTS " + key("dead-bytes")), ":0\r\n");
}

TEST_F(RedisRepositoryTest, RemovesWhatItMeantToWhicheverPartOfAMessageWasEvicted) {
  RedisRepository repository(options(), kTimeout);
  for (const char* part : {"message:", "names:", "of:", "bytes:"}) {
    for (const bool confirmed : {true, false}) {
      const MessageId id = add(repository, message("1", "a", 1ms));
      const std::string evicted = std::string(part) == "of:" || std::string(part) == "bytes:"
                                      ? part + std::string("2:hr:user:1")
                                      : part + member();
      EXPECT_EQ(redis_.say("DEL " + key(evicted)), ":1\r\n") << evicted;
      if (confirmed) repository.confirm(kService, {event::TargetKind::kUser, "1"}, id);
      repository.expire(wall_now() + 1min);
      pending(repository, "1");
      EXPECT_TRUE(eventually([&] { return redis_.say("KEYS " + key("message:*")) == "*0\r\n"; })) << evicted;
      EXPECT_EQ(redis_.say("ZCARD " + key("all")), ":0\r\n") << evicted;
      EXPECT_EQ(redis_.say("ZCARD " + key("expiry")), ":0\r\n") << evicted;
      EXPECT_TRUE(eventually([&] { return redis_.say("ZCARD " + key("of:2:hr:user:1")) == ":0\r\n"; })) << evicted;
    }
  }
  // It goes on.
  add(repository, message("1", "later"));
  EXPECT_THAT(pending(repository, "1"), SizeIs(1));
}

TEST_F(RedisRepositoryTest, SaysAndRepairsCountsAndListsThatDoNotAgree) {
  {
    RedisRepository repository(options(), kTimeout);
    std::vector<NewMessage> messages;
    for (int i = 0; i < 1000; ++i) messages.push_back(message(std::to_string(i % 7), std::to_string(i)));
    repository.add_all(messages);
  }
  redis_.say("DEL " + key("of:2:hr:user:3"));
  redis_.say("DEL " + key("message:") + member());
  redis_.say("SET " + key("count") + " 5000");
  RedisRepository repository(options(), kTimeout);
  EXPECT_TRUE(tells("did not agree")) << ::testing::PrintToString(told());
  EXPECT_EQ(repository.count({}), 999U);
  MessageFilter everything;
  everything.service = kService;
  EXPECT_EQ(repository.count(everything), 999U);
  EXPECT_THAT(pending(repository, "3"), SizeIs(143));
  EXPECT_EQ(redis_.say("EXISTS " + key("recount")), ":0\r\n");
}

TEST_F(RedisRepositoryTest, CountsRightWhileOthersGoOn) {
  RedisRepository::Options often = options();
  often.recount = 1ms;
  RedisRepository repository(often, kTimeout);
  for (int round = 0; round < 5; ++round) {
    const std::vector<NewMessage> messages(300, message("1", "a"));
    for (const auto& outcome : repository.add_all(messages))
      repository.confirm(kService, {event::TargetKind::kUser, "1"}, outcome.id);
  }
  EXPECT_TRUE(eventually([&] { return redis_.say("ZCARD " + key("all")) == ":0\r\n"; }));
  EXPECT_TRUE(eventually([&] { return repository.count({}) == 0; }));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(RedisRepositoryTest, FindsItsMessagesAgainAfterAnEvictionTookTheLists) {
  RedisRepository::Options allowed = options();
  allowed.allow_eviction = true;
  RedisRepository repository(allowed, kTimeout);
  for (int i = 0; i < 20; ++i) add(repository, message("1", std::to_string(i)));
  redis_.say("DEL " + key("all") + " " + key("expiry"));
  // So that something is evicted: a key of no service.
  redis_.say("CONFIG SET maxmemory-policy volatile-lru");
  redis_.say("SET others 1 EX 1000");
  fill_up();
  redis_.say("SET another 1");
  make_room();
  EXPECT_TRUE(tells("has evicted")) << ::testing::PrintToString(told());
  EXPECT_TRUE(eventually([&] { return redis_.say("ZCARD " + key("all")) == ":20\r\n"; }));
  EXPECT_TRUE(tells("listed again"));
  EXPECT_EQ(repository.count({}), 20U);
}

TEST_F(RedisRepositoryTest, OverItsMemoryItStartsAndDeliversAndFreesWhatItCan) {
  MessageId first;
  {
    RedisRepository repository(options(), kTimeout);
    for (int i = 0; i < 5; ++i) add(repository, message("1", std::to_string(i)));
    first = add(repository, message("2", "short", 1ms));
    add(repository, message("4", "dead", 1ms));
    repository.expire(wall_now() + 1min);
    add(repository, message("3", "also short", 1ms));
  }
  fill_up();
  RedisRepository repository(options(), kTimeout);
  EXPECT_TRUE(tells("over its maxmemory"));
  try {
    add(repository, message("1", "too much"));
    FAIL() << "it was kept";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLimitExceeded);
    EXPECT_THAT(e.what(), HasSubstr("maxmemory"));
  }
  const std::vector<PendingMessage> there = pending(repository, "1");
  ASSERT_THAT(there, SizeIs(5));
  repository.confirm(kService, there[0].recipient, there[0].id);
  EXPECT_TRUE(eventually([&] { return repository.count({}) == 5; }));
  EXPECT_EQ(repository.erase(there[1].id), 1U);
  // Without a dead letter.
  EXPECT_EQ(repository.count_dead({}), 2U);
  EXPECT_EQ(repository.expire(wall_now() + 1min), 1U);
  EXPECT_EQ(repository.count_dead({}), 2U);
  EXPECT_TRUE(tells("no dead letters"));
  EXPECT_THAT(repository.requeue(first, {}, wall_now()), SizeIs(1));
  EXPECT_EQ(repository.purge_dead({}, {}), 1U);
  EXPECT_EQ(repository.purge({}), 4U);
  make_room();
  add(repository, message("1", "again"));
}

// Whoever waits at one node does not have to look for what another one hears of.
TEST_F(RedisRepositoryTest, TellsTheNodeThatWaitsWhatAnotherOneConfirmed) {
  RedisRepository one(options(), kTimeout);
  RedisRepository other(options(), kTimeout);
  std::vector<std::pair<std::string, MessageId>> settled;
  std::atomic<int> looks{0};
  one.report_settled(kService, [&](const Recipient& recipient, MessageId id) {
    const std::scoped_lock lock(mutex_);
    if (id.valid()) {
      settled.emplace_back(recipient.name, id);
    } else {
      ++looks;
    }
  });
  ASSERT_TRUE(eventually([&] { return one.reports_settled(); }));
  NewMessage waited = message("a:b", "x");
  waited.target.names = {"a:b", "c"};
  waited.awaited = true;
  add(one, message("a:b", "no client waits for it"));
  add(one, waited);
  const std::vector<PendingMessage> there = pending(other, "a:b");
  ASSERT_THAT(there, SizeIs(2));
  for (const PendingMessage& one_of_them : there) other.confirm(kService, one_of_them.recipient, one_of_them.id);
  EXPECT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex_);
    return !settled.empty();
  }));
  EXPECT_EQ(other.erase(there[1].id), 1U);
  EXPECT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex_);
    return settled.size() == 2;
  }));
  EXPECT_EQ(settled[0], std::pair(std::string("a:b"), there[1].id));
  EXPECT_EQ(settled[1], std::pair(std::string("c"), there[1].id));
  // One that is sent again with its key is waited for from then on.
  NewMessage keyed = message("d", "y");
  keyed.key = "k";
  add(one, keyed);
  keyed.awaited = true;
  add(one, keyed);
  other.confirm(kService, pending(other, "d").at(0).recipient, pending(other, "d").at(0).id);
  EXPECT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex_);
    return settled.size() == 3;
  }));
  // A subscription that was lost has missed something.
  const int before = looks;
  redis_.say("CLIENT KILL TYPE pubsub");
  EXPECT_TRUE(eventually([&] { return looks > before && one.reports_settled(); }));
  one.report_settled(kService, {});
}

TEST_F(RedisRepositoryTest, FailsWhereARightIsMissingInsteadOfFindingNothing) {
  RedisRepository repository(options(), kTimeout);
  add(repository, message("1", "a"));
  const auto refused = [](const auto& call) {
    try {
      call();
      return std::string("it worked");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  redis_.say("ACL SETUSER default -zrangebylex -zrangebyscore -get -hmget -smembers -zrange");
  MessageFilter some;
  some.service = kService;
  EXPECT_THAT(refused([&] { repository.list({}, 0, 10); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.count({}); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.count(some); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.purge({}); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.count_dead({}); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.list_dead({}, 0, 10); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.purge_dead({}, {}); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { repository.find(MessageId(1)); }), HasSubstr("NOPERM"));
  EXPECT_THAT(refused([&] { pending(repository, "1"); }), HasSubstr("can't run this command"));
  EXPECT_THAT(refused([&] { repository.expire(wall_now()); }), HasSubstr("can't run this command"));
  redis_.say("ACL SETUSER default +@all");
  EXPECT_EQ(repository.count(some), 1U);
}

}  // namespace
}  // namespace sse::cluster
