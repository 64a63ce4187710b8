#include "store/memory/sent_keys.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sse::store {
namespace {

using std::chrono::milliseconds;

constexpr WallTime kStart{milliseconds(1'000'000)};
const SentKeys::Name kName{ServiceName("s"), "key"};

TEST(SentKeys, KnowsAKeyUntilItsTimeIsOver) {
  SentKeys keys;
  EXPECT_FALSE(keys.find(kName, kStart).valid());
  keys.remember(kName, MessageId(1), kStart + milliseconds(10));
  EXPECT_EQ(keys.find(kName, kStart + milliseconds(9)), MessageId(1));
  EXPECT_FALSE(keys.find(kName, kStart + milliseconds(10)).valid());
  EXPECT_FALSE(keys.find({ServiceName("other"), "key"}, kStart).valid());
}

TEST(SentKeys, RemembersTheLatestMessageWithAKey) {
  SentKeys keys;
  keys.remember(kName, MessageId(1), kStart + milliseconds(10));
  keys.remember(kName, MessageId(2), kStart + milliseconds(20));
  keys.expire(kStart + milliseconds(10));
  EXPECT_EQ(keys.find(kName, kStart), MessageId(2));
  keys.expire(kStart + milliseconds(20));
  EXPECT_FALSE(keys.find(kName, kStart).valid());
}

TEST(SentKeys, ForgetsAKey) {
  SentKeys keys;
  keys.remember(kName, MessageId(1), kStart + milliseconds(10));
  keys.forget(kName);
  keys.forget(kName);
  EXPECT_FALSE(keys.find(kName, kStart).valid());
  keys.expire(kStart + milliseconds(10));
}

}  // namespace
}  // namespace sse::store
