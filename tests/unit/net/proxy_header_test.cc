#include "net/proxy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sse::net {
namespace {

using ::testing::HasSubstr;
using Status = ProxyHeader::Status;

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string binary(unsigned command, unsigned family, const std::string& rest) {
  std::string header(kSignature);
  header += static_cast<char>(0x20U | command);
  header += static_cast<char>(family);
  header += static_cast<char>(rest.size() >> 8U);
  header += static_cast<char>(rest.size() & 0xFFU);
  return header + rest;
}

const std::string kFour("\xCB\x00\x71\x07\xC0\x00\x02\x01\xC8\x22\x01\xBB", 12);

TEST(ProxyHeader, ReadsALineOfVersionOne) {
  const std::string line = "PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\r\n";
  const ProxyHeader header = read_proxy_header(line + "GET / HTTP/1.1\r\n");
  ASSERT_EQ(header.status, Status::kComplete);
  EXPECT_EQ(header.size, line.size());
  ASSERT_TRUE(header.client);
  EXPECT_EQ(header.client->address, "203.0.113.7");
  EXPECT_EQ(header.client->port, 51234);
}

TEST(ProxyHeader, ReadsTheLongestLine) {
  const std::string address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const std::string line = "PROXY TCP6 " + address + " " + address + " 65535 65535\r\n";
  ASSERT_EQ(line.size(), 104U);
  const ProxyHeader header = read_proxy_header(line);
  ASSERT_EQ(header.status, Status::kComplete);
  EXPECT_EQ(header.client->address, address);
}

TEST(ProxyHeader, KeepsTheProxyAsPeerWhereTheClientIsUnknown) {
  for (const std::string line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"}) {
    const ProxyHeader header = read_proxy_header(line);
    EXPECT_EQ(header.status, Status::kComplete) << line;
    EXPECT_EQ(header.size, line.size());
    EXPECT_FALSE(header.client);
  }
}

TEST(ProxyHeader, RefusesLinesThatAreNone) {
  for (const std::string text :
       {"GET / HTTP/1.1\r\n\r\n", "PROXY TCP4\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 host 1.2.3.4 1 2\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"}) {
    const ProxyHeader header = read_proxy_header(text);
    EXPECT_EQ(header.status, Status::kMalformed) << text;
    EXPECT_FALSE(header.reason.empty());
  }
  EXPECT_EQ(read_proxy_header("PROXY TCP4 " + std::string(200, '1')).status, Status::kMalformed);
}

TEST(ProxyHeader, ReadsVersionTwo) {
  const std::string four = binary(1, 0x11, kFour);
  const ProxyHeader header = read_proxy_header(four + "\x16\x03\x01");
  ASSERT_EQ(header.status, Status::kComplete);
  EXPECT_EQ(header.size, four.size());
  ASSERT_TRUE(header.client);
  EXPECT_EQ(header.client->address, "203.0.113.7");
  EXPECT_EQ(header.client->port, 51234);

  std::string addresses = "\x20\x01\x0d\xb8";
  addresses += std::string(11, '\0') + '\x01' + std::string(16, '\0') + std::string("\x00\x50\x01\xBB", 4);
  const ProxyHeader six = read_proxy_header(binary(1, 0x21, addresses));
  ASSERT_EQ(six.status, Status::kComplete);
  ASSERT_TRUE(six.client);
  EXPECT_EQ(six.client->address, "2001:db8::1");
  EXPECT_EQ(six.client->port, 80);
}

TEST(ProxyHeader, SkipsExtensionsOfVersionTwo) {
  const std::string all = binary(1, 0x11, kFour + std::string("\x04\x00\x03xyz", 6));
  const ProxyHeader header = read_proxy_header(all + "GET");
  ASSERT_EQ(header.status, Status::kComplete);
  EXPECT_EQ(header.size, all.size());
  EXPECT_EQ(header.client->address, "203.0.113.7");
}

TEST(ProxyHeader, KeepsTheProxyAsPeerOfItsOwnChecks) {
  for (const std::string& text :
       {binary(0, 0x00, ""), binary(0, 0x11, kFour), binary(1, 0x00, "abc"), binary(1, 0x31, std::string(216, 'a'))}) {
    const ProxyHeader header = read_proxy_header(text);
    EXPECT_EQ(header.status, Status::kComplete);
    EXPECT_FALSE(header.client);
  }
}

TEST(ProxyHeader, RefusesVersionTwoThatLies) {
  std::string third = binary(1, 0x11, kFour);
  third[12] = '\x31';
  std::string huge = binary(1, 0x11, kFour);
  huge[14] = '\x7F';
  for (const std::string& text :
       {binary(2, 0x11, kFour), binary(1, 0x12, kFour), binary(1, 0x22, kFour), binary(1, 0x11, "short"),
        binary(1, 0x21, kFour), binary(1, 0x31, kFour), third, huge}) {
    EXPECT_EQ(read_proxy_header(text).status, Status::kMalformed);
  }
  EXPECT_THAT(read_proxy_header(huge).reason, HasSubstr("4096"));
}

TEST(ProxyHeader, WaitsForEveryByteOfAHeader) {
  for (const std::string& whole : {std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), binary(1, 0x11, kFour)}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(read_proxy_header(std::string_view(whole).substr(0, size)).status, Status::kIncomplete) << size;
    EXPECT_EQ(read_proxy_header(whole).status, Status::kComplete);
    EXPECT_TRUE(begins_like_proxy_header(whole));
  }
  EXPECT_FALSE(begins_like_proxy_header("GET / HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace sse::net
