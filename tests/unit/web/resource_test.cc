#include "web/resource.h"

#include <gtest/gtest.h>

#include <string>

#include "net/request_head.h"

namespace sse::web {
namespace {

class ResourceTest : public ::testing::Test {
 protected:
  std::string get(const std::string& headers = "", const std::string& method = "GET") {
    const std::string text = method + " / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
    std::size_t scanned = 0;
    const net::HeadScan scan = net::scan_head(text, scanned);
    EXPECT_EQ(scan.status, net::HeadScan::Status::kComplete);
    return resource_.answer(scan.head, "X-More: 2\r\n", true, WallTime(std::chrono::seconds(0))).bytes;
  }
  static std::string tag_of(const std::string& reply) {
    const std::size_t at = reply.find("ETag: ") + 6;
    return reply.substr(at, reply.find("\r\n", at) - at);
  }

  const std::string text_ = std::string(2000, 'x');
  const Resource resource_{"text/plain", text_, "X-Own: 1\r\n"};
};

TEST_F(ResourceTest, AnswersWithItsBytesAndHeaders) {
  const std::string reply = get();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
  for (const char* line : {"X-Own: 1\r\n", "X-More: 2\r\n", "Content-Type: text/plain\r\n", "Content-Length: 2000\r\n"})
    EXPECT_NE(reply.find(line), std::string::npos) << line;
  EXPECT_TRUE(reply.ends_with("\r\n\r\n" + text_));
  EXPECT_TRUE(get("", "HEAD").ends_with("\r\n\r\n"));
}

TEST_F(ResourceTest, CompressesForClientsThatAcceptIt) {
  for (const std::string coding : {"br", "gzip"}) {
    const std::string reply = get("Accept-Encoding: " + coding + "\r\n");
    EXPECT_NE(reply.find("Content-Encoding: " + coding + "\r\n"), std::string::npos);
    EXPECT_LT(reply.size(), text_.size());
    EXPECT_NE(tag_of(reply), tag_of(get())) << "each coding has its own entity tag";
  }
  EXPECT_NE(get("Accept-Encoding: gzip, br\r\n").find("Content-Encoding: br\r\n"), std::string::npos);
}

TEST_F(ResourceTest, SaysThatNothingHasChanged) {
  const std::string reply = get("If-None-Match: " + tag_of(get()) + "\r\n");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 304 ")) << reply;
}

}  // namespace
}  // namespace sse::web
