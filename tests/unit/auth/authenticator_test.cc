#include "auth/authenticator.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace sse::auth {
namespace {

struct FakeRequest final : PageRequest {
  std::string header(const std::string& name) const override {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  std::string parameter(const std::string& name) const override {
    const auto found = parameters.find(name);
    return found == parameters.end() ? "" : found->second;
  }
  std::string address() const override { return "127.0.0.1"; }
  bool from_trusted_proxy() const override { return trusted; }

  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> parameters;
  bool trusted = false;
};

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

}  // namespace
}  // namespace sse::auth
