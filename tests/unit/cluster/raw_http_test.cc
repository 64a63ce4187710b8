#include "cluster/core/raw_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sse::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPost =
    "POST /api/v1/x?user=a%26b&page=1 HTTP/1.1\r\nHost: h\r\nauthorization:  Bearer t \r\nContent-Length: "
    "4\r\n\r\nbody";

TEST(RawHttp, ReadsARequestAndWritesItAgain) {
  RawRequest request = RawRequest::parse(kPost);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/api/v1/x");
  EXPECT_EQ(request.parameter("user"), "a&b");
  EXPECT_EQ(request.parameter("none"), "");
  EXPECT_EQ(request.header("Authorization"), "Bearer t");
  EXPECT_EQ(request.body, "body");
  const RawRequest again = RawRequest::parse(request.text());
  EXPECT_EQ(again.query, request.query);
  EXPECT_EQ(again.body, "body");
}

TEST(RawHttp, ChangesHeadersAndParametersWhateverTheirCase) {
  RawRequest request = RawRequest::parse(kPost);
  request.remove_header("AUTHORIZATION");
  request.set_header("HOST", "other");
  request.set_parameter("page", "2");
  const std::string text = request.text();
  EXPECT_THAT(text, Not(HasSubstr("Bearer")));
  EXPECT_THAT(text, HasSubstr("page=2"));
  EXPECT_THAT(text, Not(HasSubstr("page=1")));
  EXPECT_EQ(RawRequest::parse(text).header("host"), "other");
}

TEST(RawHttp, AGetHasNoBodyAndNoLength) {
  const RawRequest request = RawRequest::parse("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(request.text(), "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST(RawHttp, TakesNothingElseForARequest) {
  for (const char* text : {"", "GET", "nonsense\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\nHost: h\r\n"})
    EXPECT_EQ(RawRequest::parse(text).method, "") << text;
}

TEST(RawHttp, ReadsAResponseAndWritesOne) {
  const RawResponse made{404, "application/problem+json", "{}"};
  const RawResponse read = RawResponse::parse(made.text());
  EXPECT_EQ(read.status, 404);
  EXPECT_EQ(read.type, "application/problem+json");
  EXPECT_EQ(read.body, "{}");
  for (const char* text : {"", "HTTP/1.1 200", "HTTP/1.1 xx OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"})
    EXPECT_EQ(RawResponse::parse(text).status, 0) << text;
}

}  // namespace
}  // namespace sse::cluster
