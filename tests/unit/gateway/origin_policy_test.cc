#include "gateway/origin_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::gateway {
namespace {

using Use = OriginPolicy::Use;

TEST(OriginPolicy, AdmitsWhatIsOfNoOtherOrigin) {
  const OriginPolicy policy({}, {}, false);
  EXPECT_TRUE(policy.admits({}, Use::kRead)) << "programs";
  for (const std::string site : {"same-origin", "none"}) {
    EXPECT_TRUE(policy.admits({"", site, "no-cors", "image"}, Use::kRead)) << site;
    EXPECT_TRUE(policy.admits({"", site, "navigate", "document"}, Use::kRead)) << site;
  }
}

TEST(OriginPolicy, RefusesWhatAForeignPageMakesABrowserSend) {
  for (const OriginPolicy& policy : {OriginPolicy({}, {}, false), OriginPolicy({"https://app.example"}, {}, false)}) {
    for (const std::string site : {"cross-site", "same-site"}) {
      EXPECT_FALSE(policy.admits({"", site, "no-cors", "image"}, Use::kRead)) << "<img>";
      EXPECT_FALSE(policy.admits({"", site, "navigate", "iframe"}, Use::kRead)) << "<iframe>";
      EXPECT_FALSE(policy.admits({"", site, "navigate", "document"}, Use::kRead)) << "a link";
      EXPECT_FALSE(policy.admits({"https://evil.example", site, "cors", "empty"}, Use::kRead)) << "fetch()";
      EXPECT_FALSE(policy.admits({"https://evil.example", site, "no-cors", "empty"}, Use::kWrite)) << "a beacon";
      EXPECT_FALSE(policy.admits({"null", site, "navigate", "document"}, Use::kWrite)) << "a form";
    }
  }
}

TEST(OriginPolicy, AdmitsOriginsThatAreListedWhereTheyCanReadTheAnswer) {
  const OriginPolicy policy({"https://app.example"}, {}, false);
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "cors", "empty"}, Use::kRead));
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "cors", ""}, Use::kRead));
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "no-cors", "empty"}, Use::kWrite));
  EXPECT_FALSE(policy.admits({"https://app.example", "cross-site", "cors", "image"}, Use::kRead));
  EXPECT_FALSE(policy.admits({"", "cross-site", "no-cors", "image"}, Use::kRead));
  const OriginPolicy all({"*"}, {}, false);
  EXPECT_TRUE(all.admits({"https://any.example", "cross-site", "cors", "empty"}, Use::kRead));
  EXPECT_FALSE(all.admits({"", "cross-site", "no-cors", "image"}, Use::kRead));
}

TEST(OriginPolicy, KnowsNamesThatNoForeignPageCanHave) {
  const OriginPolicy policy({"https://App.example:8443", "http://[2001:db8::7]:80"}, {"Push.Example.org"}, true);
  for (const std::string host :
       {"", "127.0.0.1:8080", "10.0.0.1", "[::1]:8080", "[2001:db8::1]", "localhost", "LocalHost:8080", "localhost.",
        "demo.localhost:80", "app.example", "APP.example:1", "push.example.org:8080", "push.example.org."})
    EXPECT_TRUE(policy.knows_host(host)) << host;
  for (const std::string host :
       {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost",
        "[evil]", "[", "[]:80", "example.org", "127.1"})
    EXPECT_FALSE(policy.knows_host(host)) << host;
  EXPECT_TRUE(OriginPolicy({}, {}, false).knows_host("evil.example"));
  EXPECT_TRUE(OriginPolicy({}, {"*"}, true).knows_host("any.example"));
}

}  // namespace
}  // namespace sse::gateway
