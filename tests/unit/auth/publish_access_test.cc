#include "auth/publish_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "support/errors.h"

namespace sse::auth {
namespace {

User publisher(const std::string& id, std::vector<std::string> publish = {}) {
  User user;
  user.identity.user = UserId(id);
  user.publish = std::move(publish);
  return user;
}

PublishRight right(const PublishAccess& access, const User& user, const std::string& channel) {
  return access.ask(user, ChannelName(channel)).right;
}

TEST(PublishAccess, IsClosedWithoutRulesExceptForTheDemo) {
  EXPECT_EQ(right(PublishAccess(false, {}), publisher("ann"), "news"), PublishRight::kRefused);
  const PublishAnswer open = PublishAccess(true, {}).ask(publisher("ann"), ChannelName("news"));
  EXPECT_EQ(open.right, PublishRight::kAllowed);
  EXPECT_EQ(open.basis, ChannelBasis::kOpen);
  EXPECT_EQ(right(PublishAccess(true, {"a=anyone"}), publisher("ann"), "news"), PublishRight::kRefused);
}

TEST(PublishAccess, DecidesByTheFirstRuleThatMatches) {
  PublishAccess access(false, {"room.lobby=anyone", "room.*=subscriber", "user.{user}.*=self", "team.*=hook"});
  EXPECT_EQ(right(access, publisher("ann"), "room.lobby"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, publisher("ann"), "room.7"), PublishRight::kSubscriber);
  EXPECT_EQ(right(access, publisher("ann"), "user.ann.out"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, publisher("x"), "user.x.y"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, publisher("x.y"), "user.x.y"), PublishRight::kRefused);
  EXPECT_EQ(right(access, publisher("ann"), "user.bob.out"), PublishRight::kRefused);
  EXPECT_EQ(right(access, publisher("ann"), "team.7"), PublishRight::kApplication);
  EXPECT_EQ(access.ask(publisher("ann"), ChannelName("team.7")).rule, "team.*=hook");
  access.set_rules({"team.*=anyone"});
  EXPECT_EQ(right(access, publisher("ann"), "team.7"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, publisher("ann"), "room.7"), PublishRight::kRefused);
}

// Who may read a channel may not therefore write to it.
TEST(PublishAccess, CountsTheCredentialsToPublishAndNotThoseToJoin) {
  const PublishAccess access(false, {});
  User user = publisher("ann", {"vip", "user.{user}.*", "a*b"});
  user.channels = {"news"};
  EXPECT_EQ(right(access, user, "news"), PublishRight::kRefused);
  EXPECT_EQ(right(access, user, "vip"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, user, "user.ann.out"), PublishRight::kAllowed);
  EXPECT_EQ(right(access, user, "user.bob.out"), PublishRight::kRefused);
  EXPECT_EQ(right(access, user, "a1b"), PublishRight::kRefused) << "what is no pattern allows nothing";
  EXPECT_EQ(access.ask(user, ChannelName("user.ann.out")).rule, "user.{user}.*");
}

TEST(PublishAccess, SaysWhatIsWrongWithARule) {
  for (const char* bad : {"news", "a*=anyone", "news=everybody", "news=self", "user.{user}=anyone"}) {
    const Error error = testing::error_of([&] { PublishAccess(false, {bad}); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), ::testing::HasSubstr(std::string("--publish-rule '") + bad + "'"));
  }
  EXPECT_THAT(testing::error_of([] { ChannelRules::parse({"news=subscriber"}); }).what(),
              ::testing::HasSubstr("--channel-rule 'news=subscriber' ends in 'subscriber'"))
      << "who is in a channel already need not be let in";
  PublishAccess access(false, {"news=anyone"});
  EXPECT_THROW(access.set_rules({"news"}), Error);
  EXPECT_EQ(right(access, publisher("ann"), "news"), PublishRight::kAllowed);
}

}  // namespace
}  // namespace sse::auth
