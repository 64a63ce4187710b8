#include "auth/webhook_authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "base/mutex.h"
#include "event/json.h"
#include "event/target.h"
#include "support/errors.h"
#include "support/http_server.h"
#include "unit/auth/fake_request.h"

namespace sse::auth {
namespace {

using event::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

// An authentication service that answers what the test says, and keeps what it was asked last.
class WebhookAuthenticatorTest : public ::testing::Test {
 protected:
  void start() {
    server_.http().Post("/check", [this](const httplib::Request& request, httplib::Response& response) {
      ++calls_;
      const MutexLock lock(mutex_);
      asked_ = request;
      response.status = status_;
      response.set_content(answer_, "application/json");
    });
    options_.url = server_.start() + "/check";
    options_.clock = &clock_;
    authenticator_ = make_webhook_authenticator(options_);
  }
  std::optional<User> authenticate() { return authenticator_->authenticate(request_); }
  void set_status(int status) {
    const MutexLock lock(mutex_);
    status_ = status;
  }
  void set_answer(const std::string& answer) {
    const MutexLock lock(mutex_);
    answer_ = answer;
  }
  httplib::Request asked() {
    const MutexLock lock(mutex_);
    return asked_;
  }
  ErrorCode failure() {
    return testing::error_of([&] { authenticate(); }).code();
  }

  WebhookOptions options_;
  ManualClock clock_;
  FakeRequest request_;
  std::atomic<int> calls_{0};
  Mutex mutex_;  // ThreadSanitizer does not see that a request and its reply order what both sides do
  int status_ GUARDED_BY(mutex_) = 200;
  std::string answer_ GUARDED_BY(mutex_) = R"({"user":"bob","tenant":"acme","token":"k","profile":{"name":"Bob"}})";
  httplib::Request asked_ GUARDED_BY(mutex_);
  testing::HttpServer server_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(WebhookAuthenticatorTest, TakesTheUserThatTheServiceNames) {
  start();
  const std::optional<User> user = authenticate();
  ASSERT_TRUE(user);
  EXPECT_EQ(user->identity.user, UserId("bob"));
  EXPECT_EQ(user->identity.tenant, TenantId("acme"));
  EXPECT_EQ(user->identity.token, AccessToken("k"));
  EXPECT_EQ(user->profile, R"({"name":"Bob"})");
  EXPECT_FALSE(user->expires);
}

TEST_F(WebhookAuthenticatorTest, TakesNumbersForIds) {
  set_answer(R"({"user":12345678901234567890,"tenant":7})");
  start();
  const std::optional<User> user = authenticate();
  ASSERT_TRUE(user);
  EXPECT_EQ(user->identity.user, UserId("12345678901234567890"));
  EXPECT_EQ(user->identity.tenant, TenantId("7"));
  EXPECT_EQ(user->profile, "");
}

TEST_F(WebhookAuthenticatorTest, TakesTheChannelsThatTheServiceLists) {
  set_answer(R"({"user":"bob","channels":["news","team.*"],"publish":["team.7"]})");
  start();
  EXPECT_EQ(authenticate()->publish, std::vector<std::string>{"team.7"});
  EXPECT_EQ(authenticate()->channels, (std::vector<std::string>{"news", "team.*"}));
  EXPECT_EQ(authenticate()->channels, (std::vector<std::string>{"news", "team.*"})) << "from the cache";
  EXPECT_EQ(calls_, 1);
}

TEST_F(WebhookAuthenticatorTest, AnAnswerWithChannelsThatAreNoListIsInvalid) {
  start();
  for (const char* bad : {R"("news")", "7", R"({"news":true})", R"(["news",7])", R"(["a*b"])"}) {
    set_answer(R"({"user":"bob","channels":)" + std::string(bad) + "}");
    EXPECT_EQ(failure(), ErrorCode::kUnavailable) << bad;
  }
  set_answer(R"({"user":"bob","publish":"news"})");
  EXPECT_EQ(failure(), ErrorCode::kUnavailable);
  set_answer(R"({"user":"bob","channels":null})");
  EXPECT_TRUE(authenticate()->channels.empty());
}

TEST_F(WebhookAuthenticatorTest, PassesOnWhatTheServiceMayJudgeBy) {
  request_.headers = {
      {"Cookie", "session=1"}, {"Authorization", "Bearer x"}, {"Origin", "https://a.example"}, {"X-Other", "kept"}};
  request_.parameters = {{"userId", "bob"}, {"access-token", "t"}, {"other", "kept"}};
  start();
  authenticate();
  EXPECT_EQ(Json::parse(asked().body), Json({{"parameters", {{"access-token", "t"}, {"userId", "bob"}}},
                                             {"address", "192.0.2.1"},
                                             {"origin", "https://a.example"}}));
  EXPECT_EQ(asked().get_header_value("Cookie"), "session=1");
  EXPECT_EQ(asked().get_header_value("Authorization"), "Bearer x");
  EXPECT_FALSE(asked().has_header("X-Other"));
}

TEST_F(WebhookAuthenticatorTest, A401Or403RefusesTheSender) {
  options_.cache = milliseconds(0);
  start();
  for (const int status : {401, 403}) {
    set_status(status);
    EXPECT_FALSE(authenticate()) << status;
  }
}

TEST_F(WebhookAuthenticatorTest, AnyOtherAnswerLeavesItOpenWhoAsks) {
  options_.cache = milliseconds(0);
  start();
  for (const int status : {302, 400, 404, 429, 500, 503}) {
    set_status(status);
    EXPECT_EQ(failure(), ErrorCode::kUnavailable) << status;
  }
  set_status(200);
  const std::string name(event::kMaxNameBytes + 1, 'x');
  for (const std::string& answer :
       {std::string(), std::string("no JSON"), std::string("[]"), std::string("{}"), std::string(R"({"user":""})"),
        std::string(R"({"user":null})"), R"({"user":")" + name + "\"}", R"({"user":"b","tenant":")" + name + "\"}",
        R"({"user":"b","profile":")" + std::string(kMaxProfileBytes, 'x') + "\"}"}) {
    set_answer(answer);
    EXPECT_EQ(failure(), ErrorCode::kUnavailable) << answer.substr(0, 100);
  }
  server_.stop();
  EXPECT_EQ(failure(), ErrorCode::kUnavailable) << "no answer";
}

TEST_F(WebhookAuthenticatorTest, TheErrorTellsThePageNothingOfTheService) {
  set_status(500);
  set_answer("internal.example: password of the database");
  start();
  EXPECT_THAT(testing::error_of([&] { authenticate(); }).what(), Not(HasSubstr("internal")));
}

TEST_F(WebhookAuthenticatorTest, AsksAgainWhenTheAnswerIsOld) {
  options_.cache = seconds(10);
  start();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(authenticate());
  EXPECT_EQ(calls_, 1);
  clock_.advance(milliseconds(9999));
  EXPECT_TRUE(authenticate());
  EXPECT_EQ(calls_, 1);
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(authenticate());
  EXPECT_EQ(calls_, 2);
}

// A user who has just logged in is not refused for long.
TEST_F(WebhookAuthenticatorTest, ARefusalIsRememberedForTwoSecondsAtMost) {
  options_.cache = seconds(10);
  set_status(401);
  start();
  EXPECT_FALSE(authenticate());
  EXPECT_FALSE(authenticate());
  EXPECT_EQ(calls_, 1);
  set_status(200);
  clock_.advance(seconds(2));
  EXPECT_TRUE(authenticate());
}

TEST_F(WebhookAuthenticatorTest, AFailureIsNotRemembered) {
  set_status(503);
  start();
  EXPECT_EQ(failure(), ErrorCode::kUnavailable);
  set_status(200);
  EXPECT_TRUE(authenticate());
}

TEST_F(WebhookAuthenticatorTest, AnAnswerIsOnlyForTheSameCredentials) {
  request_.headers["Cookie"] = "session=1";
  start();
  EXPECT_TRUE(authenticate());
  for (const char* header : {"Cookie", "Authorization"}) {
    FakeRequest other = request_;
    other.headers[header] = "of another";
    EXPECT_TRUE(authenticator_->authenticate(other));
  }
  FakeRequest other = request_;
  other.parameters["access-token"] = "another";
  EXPECT_TRUE(authenticator_->authenticate(other));
  // What stands in one header is not taken for another's.
  other = {};
  other.headers["Authorization"] = "session=1";
  EXPECT_TRUE(authenticator_->authenticate(other));
  EXPECT_EQ(calls_, 5);
}

TEST_F(WebhookAuthenticatorTest, StopEndsCallsInProgress) {
  std::promise<void> called;
  std::promise<void> release;
  server_.http().Post("/slow",
                      [&called, released = release.get_future().share()](const httplib::Request&, httplib::Response&) {
                        called.set_value();
                        released.wait();
                      });
  start();
  options_.url = server_.url() + "/slow";
  options_.timeout = std::chrono::minutes(10);
  authenticator_ = make_webhook_authenticator(options_);
  ErrorCode code = ErrorCode::kInternal;
  std::thread caller([&] { code = failure(); });
  called.get_future().wait();
  authenticator_->stop();
  caller.join();
  release.set_value();
  EXPECT_EQ(code, ErrorCode::kUnavailable);
}

TEST(WebhookAuthenticator, NamesTheOptionOfAUrlThatIsNone) {
  WebhookOptions options;
  options.url = "ftp://h";
  EXPECT_THAT(testing::refusal_of([&] { make_webhook_authenticator(options); }), HasSubstr("--auth-url"));
}

}  // namespace
}  // namespace sse::auth
