#include "cluster/nacos/nacos_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(NacosAddress, HasDefaultsForAllButTheHost) {
  const NacosAddress address = parse_nacos_address("nacos://reg.example");
  EXPECT_THAT(address.servers, ElementsAre(Pair("reg.example", 8848)));
  EXPECT_EQ(address.str(), "nacos://reg.example:8848/public/DEFAULT_GROUP/sse-server");
  EXPECT_EQ(address.user, "");
}

TEST(NacosAddress, TakesEverything) {
  const NacosAddress address =
      parse_nacos_address("nacos://nacos:p%40ss@/w:rd@10.0.0.1:8849,[::1]:8850,c/prod/push%2Eer/hr?api=v2");
  EXPECT_EQ(address.user, "nacos");
  EXPECT_EQ(address.password, "p@ss@/w:rd");
  EXPECT_THAT(address.servers, ElementsAre(Pair("10.0.0.1", 8849), Pair("::1", 8850), Pair("c", 8848)));
  EXPECT_EQ(address.space, "prod");
  EXPECT_EQ(address.service, "hr");
  EXPECT_EQ(address.api, NacosApi::kV2);
  EXPECT_THAT(address.str(), Not(HasSubstr("p@ss")));
}

TEST(NacosAddress, TakesWhatLiesBesideTheNamesAndShowsWhatIsNotUsual) {
  const NacosAddress address = parse_nacos_address("nacos+https://u:p@h/n/g/s?cluster=HZ-1&api=v1");
  EXPECT_TRUE(address.tls);
  EXPECT_EQ(address.cluster, "HZ-1");
  EXPECT_EQ(address.api, NacosApi::kV1);
  EXPECT_EQ(parse_nacos_address("nacos://h?context=/reg/istry/").context, "/reg/istry");
  EXPECT_EQ(parse_nacos_address("nacos://h?context=/").context, "");
  for (const std::string shown : {"nacos+https://h:8848/n/g/s?cluster=HZ-1", "nacos://h:8848/n/g/s?context=/"})
    EXPECT_EQ(parse_nacos_address(shown).str(), shown);
}

TEST(NacosAddress, SaysWhatIsWrongAndNeverThePassword) {
  for (const std::string text :
       {"redis://a", "nacos://", "nacos://u:topsecret@", "nacos://u:topsecret@h:0", "nacos://u:topsecret@h:x",
        "nacos://topsecret@h", "nacos://:topsecret@h", "nacos://u:@h", "nacos://u:topsecret@h/a/b/c/d",
        "nacos://u:topsecret@h?x=1", "nacos://u:topsecret@h?cluster=a,b", "nacos://u:topsecret@h?context=x",
        "nacos://u:topsecret@h?api=v4", "nacos://u:topsecret@h?", "nacos://u:topsecret@[::1",
        "nacos://u:topsecret@h/a/b%40%40c/d", "nacos://u:topsecret@h,,g"}) {
    try {
      parse_nacos_address(text);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(e.what(), Not(HasSubstr("topsecret"))) << text;
    }
  }
}

}  // namespace
}  // namespace sse::cluster
