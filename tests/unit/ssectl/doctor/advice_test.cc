#include "ssectl/doctor/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sse::ctl {
namespace {

using ::testing::IsSupersetOf;

std::set<std::string> programs(std::string_view check, std::string_view proxy) {
  std::set<std::string> names;
  for (const Advice& advice : advice_for(check, proxy)) names.emplace(advice.program);
  return names;
}

api::ProbeHead head(const char* name, const char* value) {
  return {200, "HTTP/1.1", {{name, value}}, {}};
}

TEST(AdviceTest, IsThereForEachProxyThatCanBeTheReason) {
  for (const char* check : {"buffering", "compression", "idle", "address", "leaver"})
    EXPECT_THAT(programs(check, ""), IsSupersetOf({"nginx", "HAProxy", "Apache", "Varnish"})) << check;
  EXPECT_TRUE(advice_for("clock", "").empty());
}

TEST(AdviceTest, IsOnlyThatForTheKnownProxyAndTheServer) {
  EXPECT_EQ(programs("idle", "nginx"), (std::set<std::string>{"nginx", "sse-serve"}));
  EXPECT_EQ(programs("compression", "Varnish"), std::set<std::string>{"Varnish"});
}

TEST(AdviceTest, TheProxyIsKnownByTheHeadersOfItsResponse) {
  EXPECT_EQ(proxy_of(head("Server", "nginx/1.22.1")), "nginx");
  EXPECT_EQ(proxy_of(head("server", "Caddy")), "Caddy");
  EXPECT_EQ(proxy_of(head("Server", "Apache/2.4.62 (Debian)")), "Apache");
  EXPECT_EQ(proxy_of(head("Server", "envoy")), "Envoy");
  EXPECT_EQ(proxy_of(head("Via", "1.1 box (Varnish/7.1)")), "Varnish");
  EXPECT_EQ(proxy_of(head("X-Varnish", "32770")), "Varnish");
  EXPECT_EQ(proxy_of(head("Server", "uvicorn")), "");
}

}  // namespace
}  // namespace sse::ctl
