#include "net/foreign_page.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::net {
namespace {

class ForeignPageTest : public ::testing::Test {
 protected:
  // The sentence of the refusal; empty for a request that is not refused.
  static std::string refusal(const std::string& headers, Links links = Links::kRefused,
                             const std::string& method = "GET") {
    const std::string text = method + " /x HTTP/1.1\r\nHost: 127.0.0.1:8089\r\n" + headers + "\r\n";
    std::size_t scanned = 0;
    const HeadScan scan = scan_head(text, scanned);
    EXPECT_EQ(scan.status, HeadScan::Status::kComplete) << headers;
    const auto refused = refuse_foreign_page(scan.head, links);
    if (!refused) return "";
    EXPECT_EQ(refused->status, 403);
    return refused->sentence;
  }
};

TEST_F(ForeignPageTest, AdmitsProgramsAndPagesOfTheSameOrigin) {
  for (const std::string headers :
       {"", "Sec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1:8089\r\n", "Sec-Fetch-Site: none\r\n",
        "Origin: http://127.0.0.1:8089\r\n", "Origin: https://127.0.0.1:8089\r\n"})
    EXPECT_EQ(refusal(headers), "") << headers;
}

TEST_F(ForeignPageTest, RefusesPagesOfOtherOrigins) {
  for (const std::string headers :
       {"Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\nOrigin: http://127.0.0.1:3000\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: http://127.0.0.1:8089\r\n", "Sec-Fetch-Site: something-new\r\n",
        "Origin: https://evil.example\r\n", "Origin: http://127.0.0.1:3000\r\n", "Origin: null\r\n",
        "Origin: http://127.0.0.1:8089.evil.example\r\n", "Origin: 127.0.0.1:8089\r\n"}) {
    EXPECT_NE(refusal(headers), "") << headers;
    EXPECT_NE(refusal(headers, Links::kAllowed), "") << headers;
  }
  EXPECT_NE(refusal("Origin: https://evil.example\r\n").find("'https://evil.example'"), std::string::npos);
}

TEST_F(ForeignPageTest, AllowsLinksOnlyWhereTheyMayLead) {
  const std::string link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
  EXPECT_EQ(refusal(link + "Sec-Fetch-Dest: document\r\n", Links::kAllowed), "");
  EXPECT_NE(refusal(link + "Sec-Fetch-Dest: document\r\n"), "");
  EXPECT_NE(refusal(link + "Sec-Fetch-Dest: iframe\r\n", Links::kAllowed), "");
  EXPECT_NE(refusal(link + "Sec-Fetch-Dest: document\r\n", Links::kAllowed, "POST"), "") << "a form";
}

}  // namespace
}  // namespace sse::net
