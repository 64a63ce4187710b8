#include "api/address.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace sse::api {
namespace {

TEST(ParseAddress, ReadsUnixSockets) {
  const Address address = parse_address("unix:/run/a b/admin.sock");
  EXPECT_TRUE(address.is_unix());
  EXPECT_EQ(address.path, "/run/a b/admin.sock");
}

TEST(ParseAddress, ReadsHostAndPort) {
  EXPECT_EQ(parse_address("http://localhost:9090").host, "localhost");
  EXPECT_EQ(parse_address("http://localhost:9090/").port, 9090);
  EXPECT_EQ(parse_address("http://push.example").port, 80);
  EXPECT_EQ(parse_address("http://[::1]:81").host, "::1");
  EXPECT_EQ(parse_address("http://[::1]:81").port, 81);
  EXPECT_EQ(parse_address("http://[::1]").port, 80);
  EXPECT_FALSE(parse_address("http://push.example").tls);
}

TEST(ParseAddress, TellsTlsByItsScheme) {
  EXPECT_TRUE(parse_address("https://push.example").tls);
  EXPECT_EQ(parse_address("https://push.example").port, 443);
  EXPECT_EQ(parse_address("https://[::1]:9443/").host, "::1");
  EXPECT_EQ(parse_address("https://[::1]:9443/").port, 9443);
}

TEST(ParseAddress, RefusesTheRestAndNamesTheForms) {
  const std::string long_path = "unix:/" + std::string(200, 'x');
  for (const std::string& text :
       {std::string(), std::string("/run/admin.sock"), std::string("unix:"), long_path, std::string("ftp://a:1"),
        std::string("https://"), std::string("http://"), std::string("http://:80"), std::string("http://a:0"),
        std::string("http://a:65536"), std::string("http://a:x"), std::string("http://a:1/api"),
        std::string("http://me@a:1"), std::string("http://::1:80"), std::string("http://[::1"),
        std::string("http://[::1]8")}) {
    try {
      parse_address(text);
      ADD_FAILURE() << "took " << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << text;
      EXPECT_NE(std::string(e.what()).find("unix:PATH, http://HOST:PORT or https://HOST:PORT"), std::string::npos)
          << e.what();
    }
  }
}

TEST(WhyUnreachable, SpeaksTheSystemsWords) {
  EXPECT_EQ(connect_error(parse_address("unix:/nonexistent/admin.sock"), std::chrono::seconds(1)),
            "No such file or directory");
}

}  // namespace
}  // namespace sse::api
