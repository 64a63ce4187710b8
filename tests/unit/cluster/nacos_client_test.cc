// Against a stand-in for Nacos, see support/nacos.h: no real one can be had here.
#include "cluster/nacos/nacos_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/nacos.h"
#include "support/process.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::FakeNacos;
using ::testing::HasSubstr;

NacosClient::Options at(const FakeNacos& nacos, const std::string& login = "") {
  return {parse_nacos_address(nacos.url(login)), sse::testing::kTimeout};
}

NacosInstance node(int port) {
  return {"127.0.0.1", port, {{"sse-id", "a"}, {"note", "ä \"quoted\" & more"}}};
}

ErrorCode code_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::kInternal;
}

class NacosGenerations : public ::testing::TestWithParam<int> {
 protected:
  static FakeNacos::Options options() {
    FakeNacos::Options options;
    options.generation = GetParam();
    options.list_lag = 0ms;
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(AgainstStandIn, NacosGenerations, ::testing::Values(1, 2, 3));

TEST_P(NacosGenerations, AreFoundOutAndEnterListBeatAndRemove) {
  FakeNacos nacos(options());
  NacosClient client(at(nacos));
  EXPECT_TRUE(client.instances().empty());
  EXPECT_EQ(client.api(), "v" + std::to_string(GetParam()));
  EXPECT_FALSE(client.beat(node(1)));
  client.enter(node(1));
  client.enter(node(2));
  EXPECT_TRUE(client.beat(node(1)));
  const std::vector<NacosInstance> all = client.instances();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].ip, "127.0.0.1");
  EXPECT_EQ(all[0].metadata, node(1).metadata);
  EXPECT_TRUE(all[0].healthy);
  client.remove(node(1));
  EXPECT_EQ(client.instances().size(), 1u);
  EXPECT_FALSE(client.beat(node(1)));
}

TEST_P(NacosGenerations, LogInAndLogInAgainWhenTheTokenIsRefused) {
  FakeNacos::Options with_login = options();
  with_login.user = "nacos";
  with_login.password = "p&ss=1";
  FakeNacos nacos(with_login);
  NacosClient client(at(nacos, "nacos:p%26ss%3D1@"));
  client.enter(node(1));
  EXPECT_TRUE(client.beat(node(1)));
  const auto logins = nacos.logins();
  nacos.end_tokens();
  EXPECT_TRUE(client.beat(node(1)));
  EXPECT_EQ(nacos.logins(), logins + 1);
}

TEST_P(NacosGenerations, RenewATokenBeforeItEnds) {
  FakeNacos::Options with_login = options();
  with_login.user = "nacos";
  with_login.password = "x";
  with_login.token_ttl = 1s;
  FakeNacos nacos(with_login);
  NacosClient client(at(nacos, "nacos:x@"));
  ASSERT_TRUE(eventually([&] {
    client.instances();
    return nacos.logins() >= 3;
  }));
}

TEST_P(NacosGenerations, SayWhenTheLoginIsRefused) {
  FakeNacos::Options with_login = options();
  with_login.user = "nacos";
  with_login.password = "right";
  FakeNacos nacos(with_login);
  NacosClient wrong(at(nacos, "nacos:wrong@"));
  EXPECT_EQ(code_of([&] { wrong.enter(node(1)); }), ErrorCode::kPermissionDenied);
  NacosClient none(at(nacos));
  EXPECT_EQ(code_of([&] { none.instances(); }), ErrorCode::kPermissionDenied);
  EXPECT_EQ(nacos.instances(), 0u);
}

TEST_P(NacosGenerations, ForgetEverythingWhenRestarted) {
  FakeNacos nacos(options());
  NacosClient client(at(nacos));
  client.enter(node(1));
  nacos.kill();
  EXPECT_EQ(code_of([&] { client.beat(node(1)); }), ErrorCode::kUnavailable);
  nacos.start();
  EXPECT_FALSE(client.beat(node(1)));
  client.enter(node(1));
  EXPECT_TRUE(client.beat(node(1)));
}

TEST(NacosClient, SpeaksToServersThatWantEverythingWithEveryHeartbeat) {
  FakeNacos::Options old;
  old.generation = 1;
  old.list_lag = 0ms;
  old.full_beats = true;
  FakeNacos nacos(old);
  NacosClient client(at(nacos));
  // Such a server takes an instance in with its heartbeat.
  EXPECT_TRUE(client.beat(node(1)));
  const auto all = client.instances();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].metadata, node(1).metadata);
}

TEST(NacosClient, TakesTheNextServerWhenOneIsGone) {
  FakeNacos gone;
  FakeNacos there;
  gone.kill();
  NacosClient client({parse_nacos_address("nacos://127.0.0.1:" + std::to_string(gone.port()) +
                                          ",127.0.0.1:" + std::to_string(there.port()) + "/public/tests/sse"),
                      sse::testing::kTimeout});
  client.enter(node(1));
  EXPECT_EQ(there.instances(), 1u);
}

TEST(NacosClient, SaysThatSomethingElseAnswers) {
  FakeNacos::Options nothing;
  nothing.generation = 4;
  FakeNacos nacos(nothing);
  NacosClient client(at(nacos));
  try {
    client.instances();
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("is not Nacos"));
  }
}

TEST(NacosClient, GivesUpOnAServerThatIsFrozen) {
  FakeNacos nacos;
  NacosClient::Options options = at(nacos);
  options.timeout = 200ms;
  NacosClient client(options);
  nacos.freeze();
  EXPECT_EQ(code_of([&] { client.instances(); }), ErrorCode::kUnavailable);
  nacos.thaw();
  EXPECT_TRUE(eventually([&] { return code_of([&] { client.instances(); }) == ErrorCode::kInternal; }));
}

}  // namespace
}  // namespace sse::cluster
