// A link to the primary that real sentinels name.
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "cluster/redis/redis_link.h"
#include "support/sentinels.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::kTimeout;
using sse::testing::SentinelGroup;

class RedisSentinelTest : public ::testing::Test {
 protected:
  RedisLinkOptions options(const std::string& url) const {
    RedisLinkOptions options;
    options.address = parse_redis_address(url);
    options.backoff_most = 200ms;
    return options;
  }
  // Whether the link writes to that server.
  static bool writes_to(RedisLink& link, const sse::testing::RedisProcess& server) {
    return eventually([&] {
      try {
        link.execute({"SET", "where", std::to_string(server.port())});
        return server.say("GET where").find(std::to_string(server.port())) != std::string::npos &&
               server.say("ROLE").find("master") != std::string::npos;
      } catch (const Error&) {
        return false;
      }
    });
  }

  SentinelGroup group_;
};

TEST_F(RedisSentinelTest, TheLinkFollowsTheSentinelsWhenThePrimaryDies) {
  RedisLink link(options(group_.url()), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  EXPECT_TRUE(writes_to(link, group_.first()));
  group_.first().kill();
  EXPECT_TRUE(writes_to(link, group_.second()));
  EXPECT_EQ(group_.primary_port(), group_.second().port());
}

// As one that is cut off from the sentinels, which goes on as a primary.
TEST_F(RedisSentinelTest, TheLinkLeavesAPrimaryThatTheSentinelsHaveReplaced) {
  RedisLink link(options(group_.url()), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  group_.first().freeze();
  ASSERT_TRUE(eventually([&] { return group_.primary_port() == group_.second().port(); }));
  group_.first().thaw();
  EXPECT_TRUE(writes_to(link, group_.second()));
}

TEST_F(RedisSentinelTest, SaysWhatTheSentinelsDoNotKnow) {
  std::string url = group_.url();
  url.replace(url.find("/main/"), 6, "/other/");
  RedisLink link(options(url), RedisLink::Mode::kCommands, nullptr);
  link.start();
  EXPECT_TRUE(eventually([&] { return link.why_down().find("knows no primary 'other'") != std::string::npos; }))
      << link.why_down();
}

}  // namespace
}  // namespace sse::cluster
