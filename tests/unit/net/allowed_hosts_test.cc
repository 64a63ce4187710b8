#include "net/allowed_hosts.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::net {
namespace {

TEST(AllowedHosts, AllowsWhatCannotBeRebound) {
  const AllowedHosts hosts;
  for (const std::string host : {"127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "192.0.2.7:1", "localhost",
                                 "LOCALHOST:80", "localhost.", "a.localhost:8080", ""})
    EXPECT_TRUE(hosts.allows(host)) << host;
}

TEST(AllowedHosts, RefusesOtherNames) {
  const AllowedHosts hosts;
  for (const std::string host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                                 "127.0.0.1.evil.example", "xlocalhost", "[evil.example]", "[", "1.2.3", "other"})
    EXPECT_FALSE(hosts.allows(host)) << host;
}

TEST(AllowedHosts, AllowsTheNamesOfTheOperator) {
  const AllowedHosts hosts({"Push.example", "push.test:8443", "192.0.2.1"});
  for (const std::string host : {"push.example", "push.example.:80", "PUSH.EXAMPLE:1", "push.test"})
    EXPECT_TRUE(hosts.allows(host)) << host;
  EXPECT_FALSE(hosts.allows("a.push.example"));
  EXPECT_TRUE(AllowedHosts({"*"}).allows("any.example"));
}

TEST(AllowedHosts, TheRefusalNamesTheHostAndTheOption) {
  const std::string sentence = unknown_host("evil.example\x1b[2J");
  EXPECT_NE(sentence.find("'evil.example"), std::string::npos);
  EXPECT_NE(sentence.find("--allowed-host"), std::string::npos);
  EXPECT_EQ(sentence.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace sse::net
