#include "cli/suggestion.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::cli {
namespace {

const std::vector<std::string> kNames{"heartbeat", "hook", "max-backlog", "listen", "qos-ttl", "users", "list"};

TEST(Suggestion, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("heartbeet", kNames), "heartbeat");
  EXPECT_EQ(nearest("haertbeat", kNames), "heartbeat");
  EXPECT_EQ(nearest("MAX_BACKLOG", kNames), "max-backlog");
  EXPECT_EQ(nearest("lst", kNames), "list");
  EXPECT_EQ(nearest("lisetn", kNames), "listen");
  EXPECT_EQ(nearest("heart", kNames), "heartbeat");
  EXPECT_EQ(did_you_mean("usres", kNames), "; did you mean 'users'?");
}

TEST(Suggestion, SaysNothingWhenNoWordIsClose) {
  EXPECT_EQ(nearest("colour", kNames), "");
  EXPECT_EQ(nearest("x", kNames), "");
  EXPECT_EQ(nearest("", kNames), "");
  EXPECT_EQ(nearest("abcd", {"wxyz"}), "");
  EXPECT_EQ(did_you_mean("colour", kNames), "");
}

TEST(Suggestion, ComparesNoWordOfAnAttackersLength) {
  EXPECT_EQ(nearest(std::string(1'000'000, 'h'), kNames), "");
  EXPECT_EQ(nearest("hook", {std::string(1'000'000, 'h')}), "");
}

}  // namespace
}  // namespace sse::cli
