#include "cluster/redis/redis_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace sse::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

bool feed(RedisReader& reader, std::string_view bytes, std::vector<RedisReply>& replies) {
  return reader.feed(bytes.data(), bytes.size(), replies);
}

TEST(RedisReader, ReadsRepliesHoweverTheyArrive) {
  const std::string_view bytes = "+OK\r\n:-7\r\n$-1\r\n*3\r\n$1\r\na\r\n*2\r\n:1\r\n$0\r\n\r\n-ERR no\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    RedisReader reader;
    std::vector<RedisReply> replies;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      ASSERT_TRUE(feed(reader, bytes.substr(at, piece), replies));
    ASSERT_EQ(replies.size(), 4U);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].integer, -7);
    EXPECT_TRUE(replies[2].is_nil());
    ASSERT_EQ(replies[3].list.size(), 3U);
    EXPECT_EQ(replies[3].list[0].text, "a");
    EXPECT_EQ(replies[3].list[1].list.size(), 2U);
    EXPECT_TRUE(replies[3].list[2].is_error());
  }
}

TEST(RedisReader, TakesNoMemoryForWhatIsOnlyAnnounced) {
  for (const std::string_view lie : {"*2000000000\r\n", "*2147483647\r\n", "*1\r\n*2000000000\r\n"}) {
    RedisReader reader;
    std::vector<RedisReply> replies;
    EXPECT_FALSE(feed(reader, lie, replies)) << lie;
    EXPECT_THAT(reader.problem(), HasSubstr("elements"));
    EXPECT_THAT(replies, IsEmpty());
  }
}

TEST(RedisReader, EndsWithAReplyOfMoreElementsOrBytesThanItTakes) {
  RedisReader few({1 << 20, 10});
  std::vector<RedisReply> replies;
  ASSERT_TRUE(feed(few, "*4\r\n*2\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", replies));
  EXPECT_FALSE(feed(few, "*6\r\n*6\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n*6\r\n:1\r\n:2\r\n:3\r\n", replies));
  EXPECT_THAT(few.problem(), HasSubstr("more than 10 elements"));

  RedisReader small({100, 10});
  EXPECT_TRUE(feed(small, "$1000\r\n", replies));
  EXPECT_TRUE(feed(small, std::string(80, 'x'), replies));
  EXPECT_FALSE(feed(small, std::string(80, 'x'), replies));
  EXPECT_THAT(small.problem(), HasSubstr("100"));
  small.reset();
  replies.clear();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(feed(small, "+A line of some length\r\n", replies));
  EXPECT_EQ(replies.size(), 100U);
}

TEST(RedisReader, DoesNotFollowListsInListsForEver) {
  RedisReader reader;
  std::vector<RedisReply> replies;
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "*1\r\n";
  EXPECT_FALSE(feed(reader, deep, replies));
  EXPECT_FALSE(reader.problem().empty());
  EXPECT_FALSE(feed(reader, "+OK\r\n", replies));
  reader.reset();
  EXPECT_TRUE(feed(reader, "+OK\r\n", replies));
}

TEST(RedisReader, SaysOfWhatIsNoRedisThatItIsNone) {
  for (const std::string_view bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "*-2\r\n", "$-7\r\n", ":12x\r\n"}) {
    RedisReader reader;
    std::vector<RedisReply> replies;
    EXPECT_FALSE(feed(reader, bytes, replies)) << bytes;
  }
}

}  // namespace
}  // namespace sse::cluster
