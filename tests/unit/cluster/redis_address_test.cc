#include "cluster/redis/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::string refusal(std::string_view text) {
  try {
    parse_redis_address(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    return e.what();
  }
  return "accepted";
}

TEST(RedisAddress, ReadsAllItsParts) {
  const RedisAddress address = parse_redis_address("redis://sse:p%40ss:w@rd+1@redis.example:7000/3");
  EXPECT_EQ(address.host, "redis.example");
  EXPECT_EQ(address.port, 7000);
  EXPECT_EQ(address.database, 3u);
  EXPECT_EQ(address.user, "sse");
  EXPECT_EQ(address.password, "p@ss:w@rd+1");
}

TEST(RedisAddress, HasDefaultsForAllButTheHost) {
  const RedisAddress address = parse_redis_address("redis://localhost");
  EXPECT_EQ(address.port, 6379);
  EXPECT_EQ(address.database, 0u);
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "");
  EXPECT_EQ(parse_redis_address("redis://localhost/").database, 0u);
  EXPECT_EQ(parse_redis_address("redis://:secret@[::1]:6380/1").str(), "redis://[::1]:6380/1");
}

TEST(RedisAddress, TakesAUserWhosePasswordIsInAFile) {
  const RedisAddress address = parse_redis_address("redis://sse@h");
  EXPECT_EQ(address.user, "sse");
  EXPECT_EQ(address.password, "");
}

TEST(RedisAddress, MayBeASocketOrOfSentinelsAndHaveTls) {
  EXPECT_TRUE(parse_redis_address("rediss://h").tls);
  EXPECT_EQ(parse_redis_address("rediss://me:secret@h").str(), "rediss://h:6379/0");
  const RedisAddress socket = parse_redis_address("unix://me:se%2Fcret@/run/redis/redis.sock?db=2");
  EXPECT_EQ(socket.path, "/run/redis/redis.sock");
  EXPECT_EQ(socket.database, 2u);
  EXPECT_EQ(socket.password, "se/cret");
  EXPECT_EQ(socket.str(), "unix:///run/redis/redis.sock?db=2");
  const RedisAddress watched = parse_redis_address("redis-sentinel://me:secret@a,[::1]:26380,c:1/main/3");
  EXPECT_THAT(watched.sentinels, ElementsAre(Pair("a", 26379), Pair("::1", 26380), Pair("c", 1)));
  EXPECT_EQ(watched.primary, "main");
  EXPECT_EQ(watched.database, 3u);
  EXPECT_EQ(watched.str(), "redis-sentinel://a:26379,[::1]:26380,c:1/main/3");
  EXPECT_EQ(parse_redis_address("rediss-sentinel://a/main").str(), "rediss-sentinel://a:26379/main/0");
}

TEST(RedisAddress, IsShownWithoutItsPassword) {
  EXPECT_EQ(parse_redis_address("redis://me:secret@h:1/2").str(), "redis://h:1/2");
}

TEST(RedisAddress, SaysWhatIsWrongAndNeverRepeatsAPassword) {
  EXPECT_THAT(refusal("localhost:6379"), HasSubstr("redis://"));
  EXPECT_THAT(refusal("redis://"), HasSubstr("names no host"));
  EXPECT_THAT(refusal("redis://:6379"), HasSubstr("names no host"));
  EXPECT_THAT(refusal("redis://h:"), HasSubstr("no port"));
  EXPECT_THAT(refusal("redis://[::1]:"), HasSubstr("no port"));
  EXPECT_THAT(refusal("redis://[::1"), HasSubstr("']'"));
  EXPECT_THAT(refusal("redis://[::1]x"), HasSubstr("']'"));
  EXPECT_THAT(refusal("redis://h o"), HasSubstr("spaces"));
  EXPECT_THAT(refusal("redis://@h"), HasSubstr("USER:PASSWORD"));
  EXPECT_THAT(refusal("redis://me:@h"), HasSubstr("empty password"));
  for (const char* port : {"0", "65536", "x", "1x", "-1"}) {
    EXPECT_THAT(refusal(std::string("redis://h:") + port), HasSubstr("port that is not a number")) << port;
  }
  EXPECT_THAT(refusal("redis://h/x"), HasSubstr("database that is not a number"));
  EXPECT_THAT(refusal("unix://"), HasSubstr("path of a socket"));
  EXPECT_THAT(refusal("unix://run/redis.sock"), HasSubstr("path of a socket"));
  EXPECT_THAT(refusal("unix:///" + std::string(110, 'x')), HasSubstr("longer than 107 bytes"));
  EXPECT_THAT(refusal("unix:///a?x=1"), HasSubstr("db=NUMBER"));
  EXPECT_THAT(refusal("redis-sentinel://a"), HasSubstr("no name of a primary"));
  EXPECT_THAT(refusal("redis-sentinel://,a/main"), HasSubstr("names no host"));
  EXPECT_THAT(refusal("redis-sentinel://a/main/x"), HasSubstr("database that is not a number"));
  EXPECT_THAT(refusal("redis://:secret@h:99999"), Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace sse::cluster
