#include "server/canary_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/errors.h"

namespace sse::server {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::refusal_of;

ServerOptions with(milliseconds interval, const std::string& url, const std::string& ca = "") {
  ServerOptions options;
  options.canary_interval = interval;
  options.canary_url = url;
  options.canary_ca_file = ca;
  return options;
}

TEST(CanaryOptions, NoneIsNoCanary) {
  EXPECT_FALSE(has_canary({}));
  EXPECT_NO_THROW(check_canary({}));
}

TEST(CanaryOptions, RefusesAnIntervalOutOfRange) {
  for (const milliseconds interval : {milliseconds(1), milliseconds(999), milliseconds(3'600'001)}) {
    EXPECT_THAT(refusal_of([&] { check_canary(with(interval, "http://h/p")); }), HasSubstr("--canary must be 0 or"))
        << interval.count();
  }
  EXPECT_NO_THROW(check_canary(with(milliseconds(1000), "http://h/p")));
  EXPECT_NO_THROW(check_canary(with(milliseconds(3'600'000), "http://h/p")));
}

TEST(CanaryOptions, NeedEachOther) {
  EXPECT_THAT(refusal_of([] { check_canary(with(milliseconds(0), "http://h/p")); }), HasSubstr("needs --canary"));
  EXPECT_THAT(refusal_of([] { check_canary(with(milliseconds(0), "", "/ca.pem")); }), HasSubstr("--canary-ca needs"));
  EXPECT_THAT(refusal_of([] { check_canary(with(milliseconds(1000), "")); }), HasSubstr("with --canary-url"));
  EXPECT_THAT(refusal_of([] { check_canary(with(milliseconds(1000), "http://h/p", "/ca.pem")); }), HasSubstr("no TLS"));
  EXPECT_THAT(refusal_of([] { check_canary(with(milliseconds(1000), "https://h/p", "/none.pem")); }),
              HasSubstr("'/none.pem' of --canary-ca"));
}

TEST(CanaryOptions, RefuseWhatIsNoUrlOfAService) {
  for (const std::string url : {"h", "h/p", "ftp://h/p", "unix:/p", "http://", "http:///p", "http://h", "http://h/",
                                "http://h:0/p", "http://h:65536/p", "http://u:p@h/p", "http://h/p?a=b", "http://h/p#a",
                                "http://h/p q", "http://h/p\r\nX: y", "http://h/\xc3\xa4"}) {
    EXPECT_THAT(refusal_of([&] { check_canary(with(milliseconds(1000), url)); }), HasSubstr("--canary-url")) << url;
  }
  EXPECT_THAT(refusal_of([&] { check_canary(with(milliseconds(1000), "http://h/" + std::string(500, 'p'))); }),
              HasSubstr("--canary-url"));
}

TEST(CanaryOptions, TheRequestIsThatOfAPage) {
  const net::StreamRequest plain = canary_request(with(milliseconds(1000), "http://[::1]:8080/a/b/"), "5.x");
  EXPECT_EQ(plain.host, "::1");
  EXPECT_EQ(plain.port, 8080);
  EXPECT_EQ(plain.target, "/a/b/connect");
  EXPECT_EQ(plain.headers.front().second, "5.x");
  EXPECT_EQ(plain.tls, nullptr);
  const net::StreamRequest secure = canary_request(with(milliseconds(1000), "https://push.example.org/my-sse"), "");
  EXPECT_EQ(secure.port, 443);
  EXPECT_NE(secure.tls, nullptr);
}

}  // namespace
}  // namespace sse::server
