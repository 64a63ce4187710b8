#include "gateway/cluster_pages.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::gateway {
namespace {

std::string post(const std::string& target, const std::string& type, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(ClusterPages, FindsTheConnectionWhereverAPageNamesIt) {
  EXPECT_EQ(named_connection(post("/p/connect/message/a.do?connectionId=847140540416", "application/json", "{}")),
            847140540416u);
  EXPECT_EQ(named_connection(post("/p", "application/json", R"({"connectionId":"847140540416"})")), 847140540416u);
  EXPECT_EQ(named_connection(post("/p", "application/json", R"({"connectionId":847140540416})")), 847140540416u);
  EXPECT_EQ(named_connection(post("/p", "text/plain;charset=UTF-8", R"({"connectionId":"847140540416"})")),
            847140540416u);
  EXPECT_EQ(named_connection(
                post("/p", "application/x-www-form-urlencoded", "reason=x&connectionId=847140540416&duration=3")),
            847140540416u);
  EXPECT_EQ(named_connection(post("/p", "multipart/form-data; boundary=b",
                                  "--b\r\nContent-Disposition: form-data; name=\"connectionId\"\r\n\r\n"
                                  "847140540416\r\n--b--\r\n")),
            847140540416u);
}

TEST(ClusterPages, FindsNoneInNonsense) {
  for (const char* body : {"", "{", "[]", "{}", R"({"connectionId":"x"})", R"({"connectionId":-1})",
                           R"({"connectionId":{}})", R"({"connectionId":99999999999999999999})"}) {
    EXPECT_EQ(named_connection(post("/p", "application/json", body)), 0u) << body;
  }
  EXPECT_EQ(named_connection(post("/p", "multipart/form-data; boundary=b", "name=\"connectionId\"\r\n\r\n12")), 0u);
  EXPECT_EQ(named_connection(post("/p?connectionId=", "text/plain", "connectionId")), 0u);
  EXPECT_EQ(named_connection("nonsense"), 0u);
}

}  // namespace
}  // namespace sse::gateway
