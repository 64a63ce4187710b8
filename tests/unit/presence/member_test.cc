#include "presence/member.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::presence {
namespace {

TEST(MemberProfile, IsTheFieldPresenceAndNothingElse) {
  EXPECT_EQ(member_profile(R"({"id":"7","mail":"ann@example.org","presence":{"name":"Ann"}})"), R"({"name":"Ann"})");
  EXPECT_EQ(member_profile(R"({"id":"7","name":"Ann"})"), "");
  EXPECT_EQ(member_profile(""), "");
}

TEST(MemberProfile, IsEmptyWhereItIsNoObjectOrTooLarge) {
  EXPECT_EQ(member_profile(R"({"presence":"Ann"})"), "");
  EXPECT_EQ(member_profile(R"({"presence":null})"), "");
  EXPECT_EQ(member_profile("presence"), "");
  EXPECT_EQ(member_profile(R"(["presence"])"), "");
  const auto of_size = [](std::size_t size) {
    return member_profile(R"({"presence":{"a":")" + std::string(size - 8, 'x') + "\"}}").size();
  };
  EXPECT_EQ(of_size(kMaxMemberProfile), kMaxMemberProfile);
  EXPECT_EQ(of_size(kMaxMemberProfile + 1), 0U);
}

}  // namespace
}  // namespace sse::presence
