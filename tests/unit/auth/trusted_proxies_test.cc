#include "auth/trusted_proxies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace sse::auth {
namespace {

using ::testing::HasSubstr;

TEST(TrustedProxies, TrustsNoProxyByDefault) {
  const TrustedProxies none({});
  EXPECT_FALSE(none.contains("127.0.0.1"));
  EXPECT_FALSE(none.contains(""));
  EXPECT_EQ(none.client_address("10.0.0.1", "1.2.3.4"), "10.0.0.1");
}

TEST(TrustedProxies, KnowsAddressesAndNetworks) {
  const TrustedProxies proxies({"192.0.2.7", "10.0.0.0/9", "2001:db8::/33", "::1"});
  for (const std::string in : {"192.0.2.7", "10.0.0.1", "10.127.255.255", "2001:db8::1", "2001:db8:7fff::", "::1"})
    EXPECT_TRUE(proxies.contains(in)) << in;
  for (const std::string out :
       {"192.0.2.8", "10.128.0.0", "11.0.0.1", "2001:db8:8000::", "::2", "", "localhost", "10.0"})
    EXPECT_FALSE(proxies.contains(out)) << out;
}

TEST(TrustedProxies, TrustsEverybodyWithAZeroPrefix) {
  const TrustedProxies proxies({"0.0.0.0/0"});
  EXPECT_TRUE(proxies.contains("203.0.113.1"));
  EXPECT_FALSE(proxies.contains("::1"));
}

TEST(TrustedProxies, RefusesWhatIsNoNetworkAndNamesIt) {
  for (const std::string entry :
       {"", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0/8", "/8"}) {
    try {
      const TrustedProxies proxies({entry});
      ADD_FAILURE() << entry;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(e.what(), HasSubstr("--trusted-proxy '" + entry + "'"));
    }
  }
}

TEST(TrustedProxies, FollowsTheChainAsFarAsItIsTrusted) {
  const TrustedProxies proxies({"10.0.0.0/8"});
  EXPECT_EQ(proxies.client_address("203.0.113.1", "6.6.6.6"), "203.0.113.1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "203.0.113.1"), "203.0.113.1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", ""), "10.0.0.1");
  // The client invented the first; the last was written by a proxy.
  EXPECT_EQ(proxies.client_address("10.0.0.1", "6.6.6.6, 203.0.113.1, 10.0.0.2"), "203.0.113.1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "203.0.113.1, <script>"), "10.0.0.1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "2001:db8::1"), "2001:db8::1");
}

TEST(TrustedProxies, KnowsAnIPv4NetworkHoweverItIsWritten) {
  const TrustedProxies proxies({"::ffff:10.0.0.0/104", "::ffff:192.0.2.7"});
  for (const std::string in : {"10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7", "::ffff:192.0.2.7"})
    EXPECT_TRUE(proxies.contains(in)) << in;
  for (const std::string out : {"11.0.0.1", "::ffff:11.0.0.1", "192.0.2.8", "::1"})
    EXPECT_FALSE(proxies.contains(out)) << out;
  EXPECT_TRUE(TrustedProxies({"127.0.0.1"}).contains("::ffff:127.0.0.1"));
  EXPECT_THROW(TrustedProxies({"::ffff:10.0.0.0/8"}), Error);
}

TEST(TrustedProxies, ReadsPortsBracketsAndForwarded) {
  const TrustedProxies proxies({"10.0.0.0/8", "2001:db8::/32"});
  EXPECT_EQ(proxies.client_address("10.0.0.1", "1.2.3.4:5678"), "1.2.3.4");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "6.6.6.6, [2001:db9::1]:80, [2001:db8::5]:443"), "2001:db9::1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "::ffff:203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "", "for=6.6.6.6, for=\"[2001:db9::1]:80\";proto=https, for=10.0.0.2"),
            "2001:db9::1");
  EXPECT_EQ(proxies.client_address("10.0.0.1", "", "for=6.6.6.6, for=_hidden, for=10.0.0.2"), "10.0.0.2");
  EXPECT_EQ(proxies.client_address("203.0.113.1", "", "for=6.6.6.6"), "203.0.113.1");
  // Whoever writes X-Forwarded-For lets a client's Forwarded through.
  EXPECT_EQ(proxies.client_address("10.0.0.1", "203.0.113.9", "for=6.6.6.6"), "203.0.113.9");
}

TEST(TrustedProxies, TrustsThePeersOnUnixSocketsOnlyWhenTold) {
  EXPECT_FALSE(TrustedProxies({"10.0.0.0/8"}).contains(""));
  const TrustedProxies proxies({"unix"});
  EXPECT_TRUE(proxies.contains(""));
  EXPECT_FALSE(proxies.contains("127.0.0.1"));
  EXPECT_EQ(proxies.client_address("", "203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(proxies.client_address("", "nonsense"), "");
}

}  // namespace
}  // namespace sse::auth
