#include "ssectl/console/keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/manual_clock.h"

namespace sse::ctl {
namespace {

class ConsoleKeysTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  ConsoleKeys keys_{clock_};
};

TEST_F(ConsoleKeysTest, ATokenOpensOneSession) {
  const std::string token = keys_.create_token();
  EXPECT_EQ(token.size(), 43U) << "256 bits in base64url";
  const auto key = keys_.redeem(token);
  ASSERT_TRUE(key);
  EXPECT_NE(*key, token);
  EXPECT_TRUE(keys_.is_session(*key));
  EXPECT_FALSE(keys_.is_session(token)) << "a token is no key";
  EXPECT_FALSE(keys_.redeem(token)) << "used twice";
  EXPECT_FALSE(keys_.redeem(*key));
  EXPECT_TRUE(keys_.is_session(*key)) << "the session goes on";
}

TEST_F(ConsoleKeysTest, RefusesATokenThatIsLate) {
  const std::string token = keys_.create_token();
  const std::string other = keys_.create_token();
  clock_.advance(ConsoleKeys::kTokenLifetime - std::chrono::milliseconds(1));
  EXPECT_TRUE(keys_.redeem(token));
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(keys_.redeem(other));
}

TEST_F(ConsoleKeysTest, RefusesWhatIsNoToken) {
  EXPECT_FALSE(keys_.redeem(""));
  EXPECT_FALSE(keys_.is_session(""));
  const std::string token = keys_.create_token();
  EXPECT_FALSE(keys_.redeem(token.substr(1)));
  EXPECT_FALSE(keys_.redeem(token + "A"));
  EXPECT_TRUE(keys_.redeem(token)) << "a wrong guess does not use up the token";
}

TEST_F(ConsoleKeysTest, KeepsTheNewestOnesOnly) {
  const std::string oldest = keys_.create_token();
  std::set<std::string> tokens;
  for (std::size_t i = 0; i < ConsoleKeys::kMaxTokens; ++i) tokens.insert(keys_.create_token());
  EXPECT_EQ(tokens.size(), ConsoleKeys::kMaxTokens);
  EXPECT_FALSE(keys_.redeem(oldest));
  const std::string first = keys_.redeem(*tokens.begin()).value_or("");
  EXPECT_TRUE(keys_.is_session(first));
  for (std::size_t i = 0; i < ConsoleKeys::kMaxSessions; ++i) EXPECT_TRUE(keys_.redeem(keys_.create_token()));
  EXPECT_FALSE(keys_.is_session(first));
}

}  // namespace
}  // namespace sse::ctl
