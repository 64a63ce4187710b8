#include "auth/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/errors.h"
#include "unit/auth/fake_request.h"

namespace sse::auth {
namespace {

TEST(DemoAuthenticator, BelievesTheParameters) {
  FakeRequest request;
  const auto authenticator = make_demo_authenticator();
  EXPECT_EQ(authenticator->authenticate(request)->identity.user.str(), "1");
  request.parameters = {{"userId", "7"}, {"tenantId", "t"}, {"access-token", "k"}, {"name", "N"}};
  const auto user = authenticator->authenticate(request);
  EXPECT_EQ(user->identity.user.str(), "7");
  EXPECT_EQ(user->identity.tenant.str(), "t");
  EXPECT_EQ(user->identity.token.str(), "k");
  EXPECT_EQ(user->profile, R"({"id":"7","name":"N"})");
}

TEST(HeaderAuthenticator, BelievesOnlyATrustedProxyThatNamesAUser) {
  FakeRequest request;
  const auto authenticator = make_header_authenticator();
  request.headers = {{"X-Sse-User", "7"}, {"X-Sse-Tenant", "t"}, {"X-Sse-Token", "k"}};
  EXPECT_FALSE(authenticator->authenticate(request).has_value());
  request.trusted = true;
  const auto user = authenticator->authenticate(request);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->identity.user.str(), "7");
  EXPECT_EQ(user->identity.tenant.str(), "t");
  EXPECT_EQ(user->identity.token.str(), "k");
  request.headers.erase("X-Sse-User");
  EXPECT_FALSE(authenticator->authenticate(request).has_value());
}

TEST(HeaderAuthenticator, TakesTheChannelsThatTheProxyNames) {
  FakeRequest request;
  request.trusted = true;
  const auto authenticator = make_header_authenticator();
  request.headers = {{"X-Sse-User", "7"}};
  EXPECT_TRUE(authenticator->authenticate(request)->channels.empty());
  request.headers["X-Sse-Channels"] = "news, user.a%2Eb.*,team.**";
  EXPECT_EQ(authenticator->authenticate(request)->channels,
            (std::vector<std::string>{"news", "user.a%2Eb.*", "team.**"}));
  EXPECT_TRUE(authenticator->authenticate(request)->publish.empty());
  request.headers["X-Sse-Publish"] = "team.7";
  EXPECT_EQ(authenticator->authenticate(request)->publish, std::vector<std::string>{"team.7"});
  request.headers["X-Sse-Channels"] = "news,a*";
  EXPECT_THAT(testing::error_of([&] { authenticator->authenticate(request); }).what(),
              ::testing::HasSubstr("X-Sse-Channels of the proxy lists a channel that cannot be used: 'a*'"));
}

}  // namespace
}  // namespace sse::auth
