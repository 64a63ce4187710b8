#include "net/peer_address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace sse::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PeerAddress, HasOneFormForAnIPv4PeerWhateverTheListener) {
  EXPECT_EQ(normalized_address("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(normalized_address("::FFFF:c000:0201"), "192.0.2.1");
  EXPECT_EQ(normalized_address("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(normalized_address("2001:DB8:0:0::1"), "2001:db8::1");
  for (const std::string text : {"", "192.0.2", "192.0.2.1:80", "host", "::g", "[::1]"})
    EXPECT_EQ(normalized_address(text), "") << text;
  sockaddr_storage storage{};
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  six.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
  EXPECT_EQ(address_of(storage), "127.0.0.1");
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(address_of(storage), "");
}

TEST(PeerAddress, CountsIPv6ByTheNetworkOfAHost) {
  EXPECT_EQ(counted_address("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(counted_address("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(counted_address("2001:db8:1:2::"), "2001:db8:1:2::/64");
  EXPECT_EQ(counted_address("nonsense"), "nonsense");
}

TEST(PeerAddress, ReadsWhatProxiesWrite) {
  EXPECT_EQ(node_address("1.2.3.4:5678"), "1.2.3.4");
  EXPECT_EQ(node_address(" 1.2.3.4 "), "1.2.3.4");
  EXPECT_EQ(node_address("[2001:db8::1]:80"), "2001:db8::1");
  EXPECT_EQ(node_address("\"[2001:db8::1]:80\""), "2001:db8::1");
  EXPECT_EQ(node_address("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(node_address("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(node_address("1.2.3.4:_hidden"), "1.2.3.4");
  for (const std::string text : {"", "unknown", "_hidden", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456", "[::1", "[::1]80",
                                 "[1.2.3.4]", "[]", "\"", "host:80"})
    EXPECT_EQ(node_address(text), "") << text;
}

TEST(PeerAddress, ReadsForwarded) {
  EXPECT_THAT(forwarded_nodes("for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";proto=https;by=203.0.113.43"),
              ElementsAre("192.0.2.43", "\"[2001:db8:cafe::17]:4711\""));
  EXPECT_THAT(forwarded_nodes("by=\"x, for=6.6.6.6\";for=1.2.3.4,, proto=http"), ElementsAre("1.2.3.4", ""));
  EXPECT_THAT(forwarded_nodes("for=1.1.1.1;for=2.2.2.2"), ElementsAre("")) << "RFC 7239 section 4: once";
  EXPECT_THAT(forwarded_nodes(""), IsEmpty());
  EXPECT_THAT(forwarded_nodes("for=\"unterminated, for=1.2.3.4"), ElementsAre("\"unterminated, for=1.2.3.4"));
}

TEST(AddressText, IsForFourOrSixteenBytes) {
  EXPECT_EQ(address_text(std::string("\xC0\x00\x02\x01", 4)), "192.0.2.1");
  EXPECT_EQ(address_text(std::string(15, '\0') + '\x01'), "::1");
  EXPECT_EQ(address_text(std::string(10, '\0') + std::string("\xFF\xFF\xC0\x00\x02\x01", 6)), "192.0.2.1");
  EXPECT_EQ(address_text("abc"), "");
}

}  // namespace
}  // namespace sse::net
