#include "ssectl/bench/place.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::ctl::bench {
namespace {

TEST(Place, IsReadFromAUrl) {
  const Place place = parse_place("http://example.com:8080/my-sse/", "unix:/run/admin.sock");
  EXPECT_EQ(place.host, "example.com");
  EXPECT_EQ(place.port, 8080);
  EXPECT_EQ(place.path, "/my-sse");
  EXPECT_EQ(parse_place("http://[::1]:81/a/b", "unix:/x").authority(), "[::1]:81");
  EXPECT_EQ(parse_place("http://h/s", "unix:/x").port, 80);
}

TEST(Place, OfAServerOnEveryAddressIsWhereItsAdminApiIs) {
  EXPECT_EQ(parse_place("http://0.0.0.0:8080/s", "http://10.0.0.7:9090").host, "10.0.0.7");
  EXPECT_EQ(parse_place("http://[::]:8080/s", "http://node-1:9090").host, "node-1");
  EXPECT_EQ(parse_place("http://0.0.0.0:8080/s", "unix:/run/admin.sock").host, "127.0.0.1");
}

TEST(Place, ThatIsNoneIsRefused) {
  for (const char* url : {"", "x", "http://", "http://host", "http://host/", "https://host/s", "ftp://host/s",
                          "http://host/a b", "http://host/s?x=1", "http://host:0x/s", "http://host:99999/s"}) {
    try {
      parse_place(url, "unix:/run/admin.sock");
      ADD_FAILURE() << url;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << url;
    }
  }
}

}  // namespace
}  // namespace sse::ctl::bench
