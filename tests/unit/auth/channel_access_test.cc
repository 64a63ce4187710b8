#include "auth/channel_access.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace sse::auth {
namespace {

using hub::ChannelSource;

User someone(const std::string& id, std::vector<std::string> channels = {}) {
  User user;
  user.identity.user = UserId(id);
  user.channels = std::move(channels);
  return user;
}

ChannelAnswer answer(const ChannelAccess& access, const User& user, const std::string& channel) {
  return access.ask(user, {ChannelName(channel)}).list.front();
}

TEST(ChannelAccess, IsClosedWithoutRulesExceptForTheDemo) {
  const ChannelAccess real(false, {});
  EXPECT_TRUE(real.closed());
  EXPECT_EQ(answer(real, someone("ann"), "news").right, ChannelRight::kRefused);
  EXPECT_EQ(answer(real, someone("ann"), "news").basis, ChannelBasis::kNothing);
  const ChannelAccess demo(true, {});
  EXPECT_FALSE(demo.closed());
  EXPECT_EQ(answer(demo, someone("ann"), "news").right, ChannelRight::kAllowed);
  EXPECT_EQ(answer(demo, someone("ann"), "news").basis, ChannelBasis::kOpen);
  const ChannelAccess ruled(true, {"public.*=anyone"});
  EXPECT_EQ(answer(ruled, someone("ann"), "news").right, ChannelRight::kRefused);
}

TEST(ChannelAccess, AnswersForEachNameInTheirOrder) {
  const ChannelAccess access(false, {"public.*=anyone", "team.*=hook"});
  const auto answers = access.ask(someone("ann", {"vip", "user.{user}.*"}),
                                  {ChannelName("team.7"), ChannelName("public.a"), ChannelName("vip"),
                                   ChannelName("no"), ChannelName("user.ann.x"), ChannelName("user.bob.x")});
  std::vector<std::string> told;
  for (const ChannelAnswer& one : answers.list)
    told.push_back(one.channel.str() + " " + std::to_string(static_cast<int>(one.right)) + " " + one.rule);
  EXPECT_EQ(told, (std::vector<std::string>{"team.7 2 team.*=hook", "public.a 1 public.*=anyone", "vip 1 vip", "no 0 ",
                                            "user.ann.x 1 user.{user}.*", "user.bob.x 0 "}));
  EXPECT_TRUE(access.ask(someone("ann"), {}).list.empty());
}

TEST(ChannelAccess, CredentialsThatAreNoPatternAllowNothing) {
  const ChannelAccess access(false, {});
  for (const std::string bad : {"", "a*", "**.a", "{x}", "\xff"})
    EXPECT_EQ(answer(access, someone("ann", {bad}), "ab").right, ChannelRight::kRefused) << bad;
  EXPECT_EQ(answer(access, someone("ann", {"a*", "ab"}), "ab").right, ChannelRight::kAllowed);
}

TEST(ChannelAccess, ReviewsStreamsByItsNewRulesOnly) {
  ChannelAccess access(false, {"a=anyone"});
  const auto before = access.ask(someone("ann"), {ChannelName("a")}).version;
  access.set_rules({"b=anyone", "c=hook"});
  const auto review = access.review();
  EXPECT_NE(review->version, before);
  EXPECT_EQ(review->version, access.ask(someone("ann"), {}).version);
  const Identity ann{UserId("ann")};
  EXPECT_FALSE(review->may_stay(ann, "a", ChannelSource::kRule));
  EXPECT_TRUE(review->may_stay(ann, "b", ChannelSource::kRule));
  EXPECT_TRUE(review->may_stay(ann, "b", ChannelSource::kHookRule));
  EXPECT_TRUE(review->may_stay(ann, "c", ChannelSource::kHookRule));
  EXPECT_FALSE(review->may_stay(ann, "c", ChannelSource::kRule)) << "the application was not asked";
}

TEST(ChannelAccess, KeepsItsRulesWhenTheNewOnesAreNone) {
  ChannelAccess access(false, {"a=anyone"});
  const auto version = access.review()->version;
  EXPECT_THROW(access.set_rules({"b=anyone", "c"}), Error);
  EXPECT_EQ(access.review()->version, version);
  EXPECT_EQ(answer(access, someone("ann"), "a").right, ChannelRight::kAllowed);
  EXPECT_EQ(answer(access, someone("ann"), "b").right, ChannelRight::kRefused);
}

}  // namespace
}  // namespace sse::auth
