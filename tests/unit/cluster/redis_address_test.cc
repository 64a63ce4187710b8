#include "cluster/redis/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  EXPECT_THAT(refusal("redis://secret@h"), HasSubstr("USER:PASSWORD"));
  EXPECT_THAT(refusal("redis://me:@h"), HasSubstr("empty password"));
  for (const char* port : {"0", "65536", "x", "1x", "-1"}) {
    EXPECT_THAT(refusal(std::string("redis://h:") + port), HasSubstr("port that is not a number")) << port;
  }
  EXPECT_THAT(refusal("redis://h/x"), HasSubstr("database that is not a number"));
  EXPECT_THAT(refusal("redis://:secret@h:99999"), Not(HasSubstr("secret")));
  EXPECT_THAT(refusal("redis://secret@h"), Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace sse::cluster
