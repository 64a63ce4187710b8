#include "pages/request_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "net/path_template.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

class RequestPlannerTest : public ::testing::Test {
 protected:
  RequestPlannerTest() {
    const auto nothing = [](const httplib::Request&, httplib::Response&) {};
    router_.get("/p/connect", nothing);
    router_.post("/p/connect", nothing);
    router_.post("/p/connect/upload/{+}.do", nothing);
    router_.post("/p/connect/message/{+}.do", nothing);
    router_.post("/p/connect/disconnect.do", nothing);
  }

  net::RequestPlan plan(const std::string& line, const std::string& headers = "", bool serves_files = false) {
    text_ = line + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
    std::size_t scanned = 0;
    head_ = net::scan_head(text_, scanned);
    EXPECT_EQ(head_.status, net::HeadScan::Status::kComplete);
    net::RequestPlan plan;
    plan.max_body = mebibytes(8);
    planner_ = std::make_unique<RequestPlanner>(router_, origins_, admission_, paths_, serves_files);
    planner_->decide(head_.head, plan);
    return plan;
  }

  net::HttplibApp app_;
  net::Router router_{app_, write_page_error};
  const OriginPolicy origins_{{}, {"h.example"}, true};
  const auth::TrustedProxies proxies_{std::vector<std::string>{}};
  const std::unique_ptr<auth::Authenticator> authenticator_ = auth::make_header_authenticator();
  const PageAdmission admission_{*authenticator_, proxies_, origins_};
  const ServicePaths paths_{std::vector<std::string>{"/p"}};
  std::unique_ptr<RequestPlanner> planner_;
  std::string text_;
  net::HeadScan head_;
};

constexpr const char* kBody = "Content-Length: 5\r\n";

TEST_F(RequestPlannerTest, LeavesRequestsWithoutABodyToTheRoutes) {
  const net::RequestPlan made = plan("GET /nowhere");
  EXPECT_FALSE(made.refusal);
  EXPECT_FALSE(made.admit);
  EXPECT_EQ(made.max_body, mebibytes(8));
}

TEST_F(RequestPlannerTest, RefusesUnknownPathsAndMethodsBeforeTheirBodies) {
  EXPECT_EQ(plan("POST /nowhere", kBody).refusal->status, 404);
  EXPECT_EQ(plan("PUT /p/connect", kBody).refusal->status, 405);
  EXPECT_EQ(plan("POST /p/connect/nothing.do", "Transfer-Encoding: chunked\r\n").refusal->status, 404);
}

TEST_F(RequestPlannerTest, AnUnknownPathMayBeAFile) {
  const net::RequestPlan made = plan("POST /file", kBody, true);
  EXPECT_FALSE(made.refusal);
  EXPECT_EQ(made.max_body, net::kMaxIgnoredBody);
  EXPECT_EQ(plan("POST /p/connect/nothing.do", kBody, true).refusal->status, 404);
}

TEST_F(RequestPlannerTest, RefusesAnUnknownHost) {
  text_ = "POST /p/connect HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\n";
  std::size_t scanned = 0;
  const net::HeadScan scan = net::scan_head(text_, scanned);
  net::RequestPlan made;
  RequestPlanner(router_, origins_, admission_, paths_, false).decide(scan.head, made);
  ASSERT_TRUE(made.refusal);
  EXPECT_EQ(made.refusal->status, 403);
  EXPECT_EQ(made.refusal->sentence, net::unknown_host("evil.example"));
}

TEST_F(RequestPlannerTest, ReadsOnlyASmallBodyThatIsIgnored) {
  EXPECT_EQ(plan("GET /p/connect", kBody).max_body, net::kMaxIgnoredBody);
}

TEST_F(RequestPlannerTest, ReadsABeaconBeforeAuthentication) {
  const net::RequestPlan made = plan("POST /p/connect/disconnect.do?x", kBody);
  EXPECT_FALSE(made.admit);
  EXPECT_TRUE(made.takes_multipart);
  EXPECT_EQ(made.max_body, kMaxDisconnectBody);
}

TEST_F(RequestPlannerTest, AuthenticatesBeforeAnyOtherBody) {
  const net::RequestPlan connect = plan("POST /p/connect", kBody);
  EXPECT_EQ(connect.max_body, kibibytes(64));
  EXPECT_FALSE(connect.takes_multipart);
  ASSERT_TRUE(connect.admit);
  EXPECT_EQ(connect.admit(head_.head, {"192.0.2.1", 1}).refusal->status, 401);
  EXPECT_TRUE(plan("POST /p/connect/message/a.do", kBody).admit);
}

TEST_F(RequestPlannerTest, AnUploadHasToBeMultipart) {
  const auth::TrustedProxies proxies({"192.0.2.1"});
  const PageAdmission admission(*authenticator_, proxies, origins_);
  const RequestPlanner planner(router_, origins_, admission, paths_, false);
  const auto status = [&](const std::string& type) {
    const std::string text = "POST /p/connect/upload/a.do HTTP/1.1\r\nHost: localhost\r\nX-Sse-User: 1\r\n" + type +
                             "Content-Length: 5\r\n\r\n";
    std::size_t scanned = 0;
    const net::HeadScan scan = net::scan_head(text, scanned);
    net::RequestPlan made;
    planner.decide(scan.head, made);
    EXPECT_TRUE(made.takes_multipart);
    const net::AdmitResult result = made.admit(scan.head, {"192.0.2.1", 1});
    return result.refusal ? result.refusal->status : 0;
  };
  EXPECT_EQ(status("Content-Type: multipart/form-data; boundary=b\r\n"), 0);
  EXPECT_EQ(status("Content-Type: application/json\r\n"), 415);
  EXPECT_EQ(status(""), 415);
}

}  // namespace
}  // namespace sse::pages
