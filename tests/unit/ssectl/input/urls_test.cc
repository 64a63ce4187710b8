#include "ssectl/input/urls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"

namespace sse::ctl {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(Urls, AreCutIntoOriginPathAndQuery) {
  const Url url = parse_url("URL", "https://push.example.org:8443/my-sse/connect?a=1&b=2#part");
  EXPECT_EQ(url.origin, "https://push.example.org:8443");
  EXPECT_EQ(url.path, "/my-sse/connect");
  EXPECT_EQ(url.query, "a=1&b=2");
  EXPECT_EQ(url.target(), "/my-sse/connect?a=1&b=2");
  EXPECT_EQ(url.text(), "https://push.example.org:8443/my-sse/connect?a=1&b=2");
  EXPECT_EQ(parse_url("URL", "http://[::1]?a").target(), "/?a");
  EXPECT_EQ(parse_url("URL", "http://host").target(), "/");
}

TEST(Urls, OfOtherSchemesAreRefusedByTheNameOfTheOption) {
  EXPECT_THAT(error_of([] { parse_url("--url", "ftp://host/"); }).what(),
              HasSubstr("--url 'ftp://host/' must begin with http://"));
  EXPECT_THAT(error_of([] { parse_url("URL", ""); }).what(), HasSubstr("URL '' must begin with http://"));
}

TEST(Urls, LocationsAreResolvedAgainstTheRequest) {
  const Url base = parse_url("URL", "https://a.example/one/two?x=1");
  EXPECT_EQ(resolve_location(base, "http://b.example/three").text(), "http://b.example/three");
  EXPECT_EQ(resolve_location(base, "//b.example/three").text(), "https://b.example/three");
  EXPECT_EQ(resolve_location(base, "/three?y=2").text(), "https://a.example/three?y=2");
  EXPECT_EQ(resolve_location(base, "three#part").text(), "https://a.example/one/three");
  EXPECT_EQ(resolve_location(parse_url("URL", "https://a.example"), "three").text(), "https://a.example/three");
}

}  // namespace
}  // namespace sse::ctl
