#include "pages/origin_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::pages {
namespace {

using Access = OriginPolicy::Access;

TEST(OriginPolicy, AdmitsWhatIsOfNoOtherOrigin) {
  const OriginPolicy policy({}, {}, false);
  EXPECT_TRUE(policy.admits({}, Access::kRead)) << "programs";
  for (const std::string site : {"same-origin", "none"}) {
    EXPECT_TRUE(policy.admits({"", site, "no-cors", "image"}, Access::kRead)) << site;
    EXPECT_TRUE(policy.admits({"", site, "navigate", "document"}, Access::kRead)) << site;
  }
}

TEST(OriginPolicy, RefusesWhatAForeignPageMakesABrowserSend) {
  for (const OriginPolicy& policy : {OriginPolicy({}, {}, false), OriginPolicy({"https://app.example"}, {}, false)}) {
    for (const std::string site : {"cross-site", "same-site"}) {
      EXPECT_FALSE(policy.admits({"", site, "no-cors", "image"}, Access::kRead)) << "<img>";
      EXPECT_FALSE(policy.admits({"", site, "navigate", "iframe"}, Access::kRead)) << "<iframe>";
      EXPECT_FALSE(policy.admits({"", site, "navigate", "document"}, Access::kRead)) << "a link";
      EXPECT_FALSE(policy.admits({"https://evil.example", site, "cors", "empty"}, Access::kRead)) << "fetch()";
      EXPECT_FALSE(policy.admits({"https://evil.example", site, "no-cors", "empty"}, Access::kWrite)) << "a beacon";
      EXPECT_FALSE(policy.admits({"null", site, "navigate", "document"}, Access::kWrite)) << "a form";
    }
  }
}

TEST(OriginPolicy, AdmitsOriginsThatAreListedWhereTheyCanReadTheAnswer) {
  const OriginPolicy policy({"https://app.example"}, {}, false);
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "cors", "empty"}, Access::kRead));
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "cors", ""}, Access::kRead));
  EXPECT_TRUE(policy.admits({"https://app.example", "cross-site", "no-cors", "empty"}, Access::kWrite));
  EXPECT_FALSE(policy.admits({"https://app.example", "cross-site", "cors", "image"}, Access::kRead));
  EXPECT_FALSE(policy.admits({"", "cross-site", "no-cors", "image"}, Access::kRead));
  const OriginPolicy all({"*"}, {}, false);
  EXPECT_TRUE(all.admits({"https://any.example", "cross-site", "cors", "empty"}, Access::kRead));
  EXPECT_FALSE(all.admits({"", "cross-site", "no-cors", "image"}, Access::kRead));
}

TEST(OriginPolicy, ExposesTheHeadersThatTellWhyAndByWhomARequestIsRefused) {
  const auto exposed = [](const std::string& listed, const std::string& origin) {
    for (const auto& [name, value] : OriginPolicy({listed}, {}, false).headers_for(origin))
      if (name == "Access-Control-Expose-Headers") return value;
    return std::string("nothing");
  };
  EXPECT_EQ(exposed("https://app.example", "https://app.example"), "WWW-Authenticate, Retry-After, X-Sse-Server-Id");
  EXPECT_EQ(exposed("*", "https://any.example"), "WWW-Authenticate, Retry-After, X-Sse-Server-Id");
  EXPECT_EQ(exposed("https://app.example", "https://evil.example"), "nothing");
}

TEST(OriginPolicy, KnowsNamesThatNoForeignPageCanHave) {
  const OriginPolicy policy({"https://App.example:8443", "http://[2001:db8::7]:80"}, {"Push.Example.org"}, true);
  for (const std::string host :
       {"", "127.0.0.1:8080", "10.0.0.1", "[::1]:8080", "[2001:db8::1]", "localhost", "LocalHost:8080", "localhost.",
        "demo.localhost:80", "app.example", "APP.example:1", "push.example.org:8080", "push.example.org."})
    EXPECT_TRUE(policy.allows_host(host)) << host;
  for (const std::string host :
       {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost",
        "[evil]", "[", "[]:80", "example.org", "127.1"})
    EXPECT_FALSE(policy.allows_host(host)) << host;
  EXPECT_TRUE(OriginPolicy({}, {}, false).allows_host("evil.example"));
  EXPECT_TRUE(OriginPolicy({}, {"*"}, true).allows_host("any.example"));
}

}  // namespace
}  // namespace sse::pages
