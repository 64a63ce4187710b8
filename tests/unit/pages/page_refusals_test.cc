#include "pages/page_refusals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/version.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PageRefusalsTest : public ::testing::Test {
 protected:
  std::string response(const std::string& target, int status, const std::string& headers = "") const {
    return refusals_.response("GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", status, "no");
  }

  const OriginPolicy origins_{{"https://a.example"}, {}, false};
  const ServicePaths paths_{std::vector<std::string>{"/p"}};
  const PageRefusals refusals_{"node-1", origins_, paths_};
};

TEST_F(PageRefusalsTest, PagesGetTheEnvelopeWithTheHeadersToReadIt) {
  const std::string text = response("/p/connect/ack.do", 403, "Origin: https://a.example\r\n");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 403 Forbidden\r\nX-Sse-Server-Id: node-1\r\nX-Sse-Version: " +
                               std::string(base::kVersion) + "\r\nAccess-Control-Allow-Origin: https://a.example\r\n"));
  EXPECT_THAT(text, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(text, EndsWith("\r\nContent-Length: " + std::to_string(page_error(403, "no").size()) + "\r\n\r\n" +
                             page_error(403, "no")));
  EXPECT_THAT(text, Not(HasSubstr("\nRetry-After")));
}

TEST_F(PageRefusalsTest, ABusyServerSaysWhenToTryAgain) {
  EXPECT_THAT(response("/p/connect", 503), HasSubstr("\r\nRetry-After: 5\r\n"));
}

TEST_F(PageRefusalsTest, OtherPathsGetPlainText) {
  EXPECT_THAT(response("/file", 403), EndsWith("\r\n\r\nno\n"));
  EXPECT_THAT(response("/file", 404), EndsWith(page_error(404, "no")));
}

TEST_F(PageRefusalsTest, AStreamWithoutAUserIsRefusedWithoutABody) {
  EXPECT_THAT(response("/p/connect", 401), EndsWith("Content-Length: 0\r\n\r\n"));
}

}  // namespace
}  // namespace sse::pages
