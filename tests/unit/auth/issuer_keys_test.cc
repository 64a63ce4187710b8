#include "auth/issuer_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "auth/jwt_authenticator.h"
#include "auth/jwt_signer.h"
#include "base/manual_clock.h"
#include "base/mutex.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "support/http_server.h"
#include "unit/auth/fake_request.h"

namespace sse::auth {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

// An OpenID provider.
class IssuerKeysTest : public ::testing::Test {
 protected:
  IssuerKeysTest() {
    server_.http().Get("/realm/.well-known/openid-configuration", [this](const auto&, httplib::Response& response) {
      const MutexLock lock(mutex_);
      response.status = status_;
      response.set_content(document_, "application/json");
    });
    server_.http().Get("/keys", [this](const auto&, httplib::Response& response) {
      ++reads_;
      const MutexLock lock(mutex_);
      response.set_content(keys_, "application/json");
    });
    options_.issuer = server_.start() + "/realm";
    options_.clock = &clock_;
    set_document(R"({"issuer":")" + options_.issuer + R"(","jwks_uri":")" + server_.url() + R"(/keys"})");
    set_keys(first_.public_set());
  }
  void TearDown() override { server_.stop(); }
  void set_document(const std::string& document, int status = 200) {
    const MutexLock lock(mutex_);
    document_ = document;
    status_ = status;
  }
  void set_keys(const std::string& keys) {
    const MutexLock lock(mutex_);
    keys_ = keys;
  }
  std::string why_not() {
    return testing::error_of([this] { IssuerKeys::fetch(options_); }).what();
  }

  const JwtSigner first_ = JwtSigner::generate("EdDSA");
  const JwtSigner second_ = JwtSigner::generate("ES256");
  ManualClock clock_;
  testing::HttpServer server_;
  IssuerKeys::Options options_;
  std::atomic<int> reads_{0};
  Mutex mutex_;
  std::string document_ GUARDED_BY(mutex_);
  std::string keys_ GUARDED_BY(mutex_);
  int status_ GUARDED_BY(mutex_) = 200;
};

TEST_F(IssuerKeysTest, ReadsTheKeysOnceAndKeepsThem) {
  IssuerKeys issuer(options_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(issuer.keys_for(first_.key_id())->contains(first_.key_id()));
  EXPECT_EQ(issuer.keys_for("")->size(), 1U);
  EXPECT_EQ(reads_, 1);
}

TEST_F(IssuerKeysTest, AsksAgainForAnUnknownKeyIdEvery30SecondsAtMost) {
  IssuerKeys issuer(options_);
  issuer.keys_for(first_.key_id());
  set_keys(second_.public_set());
  EXPECT_FALSE(issuer.keys_for(second_.key_id())->contains(second_.key_id())) << "asked again at once";
  clock_.advance(seconds(29));
  for (int i = 0; i < 100; ++i) issuer.keys_for("forged" + std::to_string(i));
  EXPECT_EQ(reads_, 1);
  clock_.advance(seconds(1));
  EXPECT_TRUE(issuer.keys_for(second_.key_id())->contains(second_.key_id()));
  EXPECT_EQ(reads_, 2);
  for (int i = 0; i < 100; ++i) issuer.keys_for("forged" + std::to_string(i));
  EXPECT_EQ(reads_, 2);
}

TEST_F(IssuerKeysTest, AnswersThatItCannotTellUntilTheIssuerHasAnswered) {
  set_document("", 500);
  IssuerKeys issuer(options_);
  EXPECT_EQ(testing::error_of([&] { issuer.keys_for(first_.key_id()); }).code(), ErrorCode::kUnavailable);
  set_document(R"({"issuer":")" + options_.issuer + R"(","jwks_uri":")" + server_.url() + R"(/keys"})");
  clock_.advance(seconds(5));
  ASSERT_TRUE(testing::eventually([&] { return reads_ == 1; }));
  EXPECT_TRUE(issuer.keys_for(first_.key_id())->contains(first_.key_id()));
  // Its last keys stay valid while it is down.
  set_document("", 500);
  clock_.advance(seconds(3600));
  EXPECT_TRUE(issuer.keys_for(first_.key_id())->contains(first_.key_id()));
}

TEST_F(IssuerKeysTest, LetsInTheUserOfAPublishedKeyOnly) {
  JwtOptions options;
  options.issuer = options_.issuer;
  const auto authenticator = make_jwt_authenticator(options);
  const auto claims = [&](const std::string& issuer) {
    return R"({"sub":"ann","exp":4102444800,"iss":")" + issuer + R"("})";
  };
  FakeRequest page;
  page.parameters["access-token"] = first_.sign(claims(options_.issuer));
  EXPECT_EQ(authenticator->authenticate(page)->identity.user.str(), "ann");
  page.parameters["access-token"] = first_.sign(claims("https://other.example"));
  EXPECT_THAT(testing::error_of([&] { authenticator->authenticate(page); }).what(), HasSubstr("another issuer"));
  page.parameters["access-token"] = second_.sign(claims(options_.issuer));
  EXPECT_THAT(testing::error_of([&] { authenticator->authenticate(page); }).what(), HasSubstr("key id (kid)"));
}

TEST_F(IssuerKeysTest, RefusesAnAnswerThatAnotherCouldGive) {
  set_document(R"({"issuer":"https://other.example","jwks_uri":")" + server_.url() + R"(/keys"})");
  EXPECT_THAT(why_not(), HasSubstr("is that of the issuer 'https://other.example'"));
  set_document(R"({"issuer":")" + options_.issuer + R"(","jwks_uri":"http://other.example/keys"})");
  EXPECT_THAT(why_not(), HasSubstr("names no 'jwks_uri' with https://"));
  set_document("<html>");
  EXPECT_THAT(why_not(), HasSubstr("is not a JSON object"));
  EXPECT_EQ(reads_, 0);
}

TEST_F(IssuerKeysTest, IgnoresPublishedSecretsAndUnknownKeys) {
  set_keys(
      R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"},{"kty":"EC","crv":"secp256k1"}]})");
  EXPECT_THAT(why_not(), HasSubstr("holds no signature key"));
  std::string keys = first_.public_set();
  keys.insert(keys.find('[') + 1, R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"},{"kty":"new"},)");
  set_keys(keys);
  EXPECT_EQ(IssuerKeys::fetch(options_).size(), 1U);
}

TEST_F(IssuerKeysTest, TrustsNoIssuerThatAnAttackerBetweenCouldReplace) {
  for (const char* issuer :
       {"http://login.example", "http://127.0.0.1.example", "http://localhost.example/", "ftp://a"}) {
    options_.issuer = issuer;
    EXPECT_THAT(testing::error_of([&] { IssuerKeys::check(options_); }).what(), HasSubstr("must begin with https://"))
        << issuer;
  }
  for (const char* issuer : {"https://login.example", "http://localhost:8080/realm", "http://[::1]:80"}) {
    options_.issuer = issuer;
    IssuerKeys::check(options_);
  }
  options_.ca_file = "/nowhere/ca.pem";
  EXPECT_THAT(testing::error_of([&] { IssuerKeys::check(options_); }).what(), HasSubstr("--jwt-issuer-ca"));
}

TEST_F(IssuerKeysTest, StopsWhileAnIssuerIsSilent) {
  std::promise<void> asked;
  std::promise<void> release;
  testing::HttpServer silent;
  silent.http().Get("/.well-known/openid-configuration", [&](const auto&, auto&) {
    asked.set_value();
    release.get_future().wait();
  });
  options_.issuer = silent.start();
  options_.timeout = std::chrono::hours(1);
  auto issuer = std::make_unique<IssuerKeys>(options_);
  asked.get_future().wait();
  issuer.reset();
  release.set_value();
}

}  // namespace
}  // namespace sse::auth
