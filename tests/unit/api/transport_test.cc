#include "api/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace sse::api {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// A server at the other end of the cluster.
class TransportTest : public ::testing::Test {
 protected:
  ClientOptions options() {
    ClientOptions options;
    options.address = "node-1";
    options.token = "secret";
    options.forwarder = [this](const ForwardedRequest& request, std::chrono::milliseconds) {
      request_ = request;
      return response_;
    };
    options.on_missing = [this](const std::vector<std::string>& nodes) { missing_ = nodes; };
    return options;
  }
  Error refusal() {
    try {
      Transport(options()).call("GET", "/x");
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorCode::kInternal, ""};
  }

  ForwardedRequest request_;
  ForwardedResponse response_{200, {{"Content-Type", "application/json"}}, R"({"ok":1,"missing":["node-2"]})"};
  std::vector<std::string> missing_;
};

TEST_F(TransportTest, SendsADocumentAndReturnsTheResponses) {
  const Json body{{"a", 1}};
  EXPECT_EQ(Transport(options()).call("POST", "/api/v1/x?b=2", &body)["ok"], 1);
  EXPECT_EQ(request_.method, "POST");
  EXPECT_EQ(request_.target, "/api/v1/x?b=2");
  EXPECT_EQ(request_.body, R"({"a":1})");
  EXPECT_THAT(request_.headers, Contains(Pair("Authorization", "Bearer secret")));
  EXPECT_THAT(request_.headers, Contains(Pair("Content-Type", "application/json")));
  EXPECT_THAT(missing_, ElementsAre("node-2"));
}

TEST_F(TransportTest, ThrowsTheErrorOfAProblemDocument) {
  response_ = {404, {{"Content-Type", "application/problem+json"}}, R"({"code":"not_found","detail":"no such user"})"};
  EXPECT_EQ(refusal().code(), ErrorCode::kNotFound);
  EXPECT_STREQ(refusal().what(), "no such user");
  response_.body = R"({"code":"something new"})";
  EXPECT_EQ(refusal().code(), ErrorCode::kNotFound) << "from the status";
}

TEST_F(TransportTest, DoubtsThatAnythingElseIsTheAdminApi) {
  response_ = {200, {{"Content-Type", "text/html"}}, "<html>"};
  EXPECT_EQ(refusal().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refusal().what(), HasSubstr("'text/html'"));
  response_ = {200, {{"Content-Type", "application/json"}}, "{"};
  EXPECT_THAT(refusal().what(), HasSubstr("is that the admin address of sse-serve?"));
}

TEST_F(TransportTest, ReturnsLinesWithTheirHeaders) {
  response_ = {200,
               {{"Content-Type", "application/x-ndjson"}, {"X-Sse-Missing", "a"}, {"x-sse-missing", "b"}},
               "{\"n\":1}\n{\"n\":2}\n"};
  const Transport::Lines lines = Transport(options()).call_lines("GET", "/api/v1/export", "");
  EXPECT_EQ(lines.text, response_.body);
  EXPECT_THAT(lines.headers_named("X-Sse-Missing"), ElementsAre("a", "b"));
  EXPECT_EQ(lines.header("X-SSE-Missing"), "a");
  EXPECT_EQ(lines.header("X-Sse-Total"), "");
}

TEST_F(TransportTest, RefusesATokenThatNoHeaderCanCarry) {
  ClientOptions bad = options();
  bad.token = "a b";
  EXPECT_THROW(Transport{bad}, Error);
  bad = options();
  bad.timeout = std::chrono::milliseconds(0);
  EXPECT_THROW(Transport{bad}, Error);
}

TEST_F(TransportTest, RelaysToOneServerOnly) {
  Transport transport(options());
  try {
    transport.relay(
        {"GET", "/x", {}, ""}, std::chrono::seconds(1), [](const auto&) { return true; },
        [](std::string_view) { return true; });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("--server"));
  }
}

}  // namespace
}  // namespace sse::api
