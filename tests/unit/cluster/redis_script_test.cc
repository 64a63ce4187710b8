#include "cluster/redis/redis_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/error.h"
#include "support/redis.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::RedisProcess;
using ::testing::HasSubstr;

class RedisScriptTest : public ::testing::Test {
 protected:
  RedisScriptTest() : link_(options(), RedisLink::Mode::kCommands, nullptr) {
    link_.start();
    link_.require_up(sse::testing::kTimeout);
  }
  RedisLinkOptions options() const {
    RedisLinkOptions options;
    options.address = parse_redis_address(redis_.url());
    options.backoff_most = 100ms;
    return options;
  }
  RedisReply soon(const RedisScript& script, const std::vector<std::string>& keys,
                  const std::vector<std::string>& arguments) {
    std::promise<RedisReply> promise;
    script.run_async(link_, keys, arguments, [&](RedisReply reply) { promise.set_value(std::move(reply)); });
    return promise.get_future().get();
  }

  RedisProcess redis_;
  RedisLink link_;
  const RedisScript join_{"return {KEYS[1] .. ARGV[1], #ARGV}"};
};

TEST_F(RedisScriptTest, RunsWhetherRedisKnowsItOrNot) {
  for (int i = 0; i < 3; ++i) {
    const RedisReply reply = join_.run(link_, {"a"}, {std::string("\0b", 2), "c"});
    EXPECT_EQ(reply.list.at(0).text, std::string("a\0b", 3));
    EXPECT_EQ(reply.list.at(1).integer, 2);
    EXPECT_EQ(soon(join_, {"x"}, {"y"}).list.at(0).text, "xy");
    if (i == 1) link_.execute({"SCRIPT", "FLUSH"});
  }
  link_.execute({"SCRIPT", "FLUSH"});
  EXPECT_EQ(soon(join_, {"x"}, {"y"}).list.at(0).text, "xy");
  // No caller need listen.
  join_.run_async(link_, {"x"}, {"y"}, nullptr);
  // It goes by its digest, not by its text.
  EXPECT_THAT(link_.execute({"INFO", "commandstats"}).text, HasSubstr("cmdstat_evalsha:"));
}

TEST_F(RedisScriptTest, SaysWhatRedisSaysAndWhenThereIsNoAnswer) {
  const RedisScript wrong("return redis.call('INCR', KEYS[1])");
  link_.execute({"SET", "text", "t"});
  try {
    wrong.run(link_, {"text"}, {});
    FAIL() << "an error was taken for an answer";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kIo);
    EXPECT_THAT(e.what(), HasSubstr("not an integer"));
  }
  EXPECT_EQ(error_in(soon(wrong, {"text"}, {})).code(), ErrorCode::kIo);
  redis_.kill();
  try {
    join_.run(link_, {"a"}, {"b"});
    FAIL() << "there was no server to answer";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
  }
  EXPECT_EQ(error_in(soon(join_, {"a"}, {"b"})).code(), ErrorCode::kUnavailable);
  // A new Redis knows nothing of it.
  redis_.start();
  link_.require_up(sse::testing::kTimeout);
  EXPECT_EQ(join_.run(link_, {"a"}, {"b"}).list.at(0).text, "ab");
}

}  // namespace
}  // namespace sse::cluster
