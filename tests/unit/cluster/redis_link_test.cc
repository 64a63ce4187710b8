#include "cluster/redis/redis_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/manual_clock.h"
#include "support/manual_time.h"
#include "support/redis.h"
#include "support/socket.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::Moves;
using sse::testing::RedisProcess;
using sse::testing::while_time_passes;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kTimeout = sse::testing::kTimeout;

RedisLinkOptions options_for(const RedisProcess& redis, const std::string& login = "") {
  RedisLinkOptions options;
  options.address = parse_redis_address("redis://" + login + "127.0.0.1:" + std::to_string(redis.port()) + "/1");
  options.answer_timeout = 500ms;
  options.backoff_most = 100ms;
  return options;
}

RedisLinkOptions options_for(const RedisProcess& redis, const Clock& clock) {
  RedisLinkOptions options = options_for(redis);
  options.answer_timeout = 10s;
  options.clock = &clock;
  return options;
}

// How often Redis has carried a command out.
std::uint64_t calls(RedisProcess& redis, const std::string& command) {
  const std::string all = redis.say("INFO commandstats");
  const std::string name = "cmdstat_" + command + ":calls=";
  const std::size_t at = all.find(name);
  return at == std::string::npos ? 0 : std::stoull(all.substr(at + name.size()));
}

TEST(RedisLink, AnswersInOrderToManyThreadsAtOnce) {
  RedisProcess redis;
  RedisLink link(options_for(redis), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        if (link.execute({"ECHO", text}).text == text) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8 * 200);
}

TEST(RedisLink, CarriesAnyBytesAndSaysWhatRedisRefuses) {
  RedisProcess redis;
  RedisLink link(options_for(redis), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  const std::string value("\0\r\n$5\r\nhello\xff", 14);
  const std::string large(3'000'000, 'x');
  const auto replies = link.execute_all(
      {{"SET", "a key", value}, {"GET", "a key"}, {"GET", "none"}, {"SET", "large", large}, {"GET", "large"}});
  EXPECT_EQ(replies[0].text, "OK");
  EXPECT_EQ(replies[1].text, value);
  EXPECT_TRUE(replies[2].is_nil());
  EXPECT_EQ(replies[4].text, large);
  EXPECT_THAT(link.execute_unchecked({"INCR", "a key"}).text, HasSubstr("not an integer"));
  // In the database of its address.
  EXPECT_EQ(redis.say("EXISTS large"), ":0\r\n");
}

TEST(RedisLink, SaysWhereNoServerAnswers) {
  RedisLinkOptions options;
  {
    RedisProcess redis;
    options = options_for(redis);
  }
  RedisLink link(options, RedisLink::Mode::kCommands, nullptr);
  link.start();
  try {
    link.require_up(300ms);
    FAIL() << "it is up";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr(options.address.str()));
    EXPECT_THAT(e.what(), HasSubstr("Connection refused"));
  }
  EXPECT_THROW(link.execute({"PING"}), Error);
}

TEST(RedisLink, LogsInAndTellsARefusedLoginFromAServerThatIsDown) {
  RedisProcess redis({"--requirepass", "secret"});
  RedisLink good(options_for(redis, ":secret@"), RedisLink::Mode::kCommands, nullptr);
  good.start();
  good.require_up(kTimeout);
  EXPECT_EQ(good.execute({"ECHO", "in"}).text, "in");
  for (const char* login : {"", ":wrong@"}) {
    RedisLink bad(options_for(redis, login), RedisLink::Mode::kCommands, nullptr);
    bad.start();
    try {
      bad.require_up(kTimeout);
      FAIL() << "it is up";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kPermissionDenied);
      EXPECT_THAT(e.what(), HasSubstr("refused the login"));
      EXPECT_THAT(e.what(), Not(HasSubstr("wrong@")));
    }
  }
}

TEST(RedisLink, ComesBackAfterRedisWasKilled) {
  RedisProcess redis;
  RedisLink link(options_for(redis), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  link.execute({"SET", "kept", "1"});
  redis.kill();
  ASSERT_TRUE(eventually([&] { return !link.up(); }));
  EXPECT_THROW(link.execute({"PING"}), Error);
  EXPECT_NE(link.why_down(), "");
  redis.start();
  link.require_up(kTimeout);
  EXPECT_EQ(link.execute({"GET", "kept"}).text, "1");
}

TEST(RedisLink, EndsEveryCommandWhenRedisIsFrozen) {
  ManualClock clock;
  RedisProcess redis;
  RedisLink link(options_for(redis, clock), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  redis.freeze();
  try {
    while_time_passes(
        clock, [&] { return link.execute({"PING"}); }, {}, Moves::kAlways, 500ms);
    FAIL() << "a frozen server answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("10s"));
  }
  EXPECT_TRUE(clock.advance_until(500ms, [&] { return link.why_down().find("did not answer") != std::string::npos; }));
  redis.thaw();
  EXPECT_TRUE(clock.advance_until(1ms, [&] { return link.up(); }));
  EXPECT_EQ(link.execute({"ECHO", "again"}).text, "again");
}

TEST(RedisLink, NoticesASubscribersFrozenServerBySilence) {
  struct Listener final : RedisLink::Listener {
    void link_up() override { ++ups; }
    void link_down(const std::string&) override { ++downs; }
    std::atomic<int> ups{0};
    std::atomic<int> downs{0};
  } listener;
  ManualClock clock;
  RedisProcess redis;
  RedisLink link(options_for(redis, clock), RedisLink::Mode::kSubscriber, &listener);
  link.start();
  link.require_up(kTimeout);
  redis.freeze();
  EXPECT_TRUE(clock.advance_until(500ms, [&] { return listener.downs >= 1; }));
  redis.thaw();
  EXPECT_TRUE(clock.advance_until(1ms, [&] { return listener.ups > listener.downs; }));
  const int downs = listener.downs;
  // It lives on its own pings from then on: minutes of silence, in steps well below the 10 s it waits for an answer.
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t pings = calls(redis, "ping");
    // Each look at Redis gives the link time to read its answer.
    ASSERT_TRUE(clock.advance_until(500ms, [&] { return calls(redis, "ping") > pings || listener.downs > downs; }));
  }
  EXPECT_EQ(listener.downs, downs);
}

TEST(RedisLink, StopsAtOnceWhateverItDoes) {
  RedisProcess redis;
  RedisLinkOptions options = options_for(redis);
  options.backoff_least = options.backoff_most = 60s;
  RedisLink link(options, RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  redis.kill();
  ASSERT_TRUE(eventually([&] { return !link.up(); }));
  const SteadyTime start = steady_now();
  link.stop();
  EXPECT_LT(steady_now() - start, 20s);
  EXPECT_THROW(link.execute({"PING"}), Error);
}

TEST(RedisLink, RepeatsWhatRedisSaysAgainstTheDatabase) {
  RedisProcess redis;
  RedisLinkOptions options = options_for(redis);
  options.address.database = 9999;  // refused by Redis itself: 16 exist
  RedisLink link(options, RedisLink::Mode::kCommands, nullptr);
  link.start();
  try {
    link.require_up(300ms);
    FAIL() << "it is up";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("DB index is out of range"));
  }
}

TEST(RedisLink, NeverTakesAnErrorForAnEmptyAnswer) {
  RedisProcess redis;
  RedisLink link(options_for(redis), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  const auto fails = [&](const std::vector<RedisCommand>& commands) -> std::string {
    try {
      link.execute_all(commands);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  link.execute({"SET", "text", "a"});
  EXPECT_THAT(fails({{"GET", "text"}, {"SMEMBERS", "text"}}), HasSubstr("WRONGTYPE"));
  redis.say("ACL SETUSER default -get");
  EXPECT_THAT(fails({{"GET", "text"}}), AllOf(HasSubstr("NOPERM"), HasSubstr("ACL SETUSER")));
  redis.say("CONFIG SET maxmemory 1");
  try {
    link.execute({"SET", "text", "b"});
    FAIL() << "there is room";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLimitExceeded);
    EXPECT_THAT(e.what(), HasSubstr("maxmemory"));
  }
}

// Answers whatever it is sent with what it was given, to every connection.
class FakeRedis {
 public:
  explicit FakeRedis(std::string answer) : answer_(std::move(answer)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeRedis() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  RedisLinkOptions options() const {
    RedisLinkOptions options;
    options.address = parse_redis_address("redis://127.0.0.1:" + std::to_string(port_) + "/0");
    options.answer_timeout = 500ms;
    options.backoff_most = 50ms;
    return options;
  }
  int connections() const { return connections_; }

 private:
  void serve() {
    while (!stopping_) {
      const UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
      if (!fd.valid()) return;
      ++connections_;
      // The login: three commands at once.
      std::string heard;
      const auto deadline = std::chrono::steady_clock::now() + kTimeout;
      while (heard.find("PING") == std::string::npos && sse::testing::read_some(fd.get(), heard, deadline) > 0) {
      }
      sse::testing::write_all(fd.get(), "+OK\r\n+OK\r\n+PONG\r\n");
      if (sse::testing::read_some(fd.get(), heard, deadline) <= 0) continue;
      sse::testing::write_all(fd.get(), answer_);
      while (sse::testing::read_some(fd.get(), heard, deadline) > 0) {
      }
    }
  }

  const std::string answer_;
  int port_ = 0;
  UniqueFd listener_{sse::testing::listen_on_free_port(port_)};
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

TEST(RedisLink, OutlivesARedisThatLies) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "*1\r\n";
  for (const std::string& lie : {std::string("*2000000000\r\n"), std::string("HTTP/1.1 200 OK\r\n\r\n"), deep,
                                 std::string("+A\r\n+B\r\n+C\r\n"), std::string("$99999999999999999999\r\n")}) {
    FakeRedis redis(lie);
    RedisLink link(redis.options(), RedisLink::Mode::kCommands, nullptr);
    link.start();
    link.require_up(kTimeout);
    const RedisReply reply = [&] {
      try {
        return link.execute_unchecked({"GET", "a"});
      } catch (const Error& e) {
        return RedisReply::error(e.what());
      }
    }();
    EXPECT_TRUE(reply.is_error() || reply.text == "A") << lie;
    // It breaks off and tries again.
    EXPECT_TRUE(eventually([&] { return redis.connections() > 1; })) << lie;
  }
}

TEST(RedisLink, GoesOnAfterACallerThatThrows) {
  RedisProcess redis;
  RedisLink link(options_for(redis), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  std::atomic<bool> called{false};
  link.call({"PING"}, [&](const RedisReply&) {
    called = true;
    throw std::runtime_error("a caller's defect");
  });
  ASSERT_TRUE(eventually([&] { return called.load(); }));
  EXPECT_EQ(link.execute({"ECHO", "still"}).text, "still");
}

}  // namespace
}  // namespace sse::cluster
