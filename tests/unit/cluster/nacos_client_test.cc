// Against a stand-in for Nacos, see support/nacos.h: no real one can be had here.
#include "cluster/nacos/nacos_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"
#include "support/nacos.h"
#include "support/process.h"
#include "unit/net/tls_peer.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::error_of;
using sse::testing::eventually;
using sse::testing::FakeNacos;
using sse::testing::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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
  // The paths of other generations, which answer with sentences of their own, are not asked.
  EXPECT_THAT(refusal_of([&] { wrong.enter(node(1)); }, ErrorCode::kPermissionDenied),
              AllOf(HasSubstr("refuses the log-in of user 'nacos'"), HasSubstr("check user and password"),
                    Not(HasSubstr("compatib"))));
  NacosClient none(at(nacos));
  EXPECT_EQ(code_of([&] { none.instances(); }), ErrorCode::kPermissionDenied);
  EXPECT_EQ(nacos.instances(), 0u);
}

TEST_P(NacosGenerations, AcceptAUserThatTheyRefusedBefore) {
  FakeNacos::Options with_login = options();
  with_login.user = "nacos";
  with_login.password = "x";
  with_login.refused_logins = 2;
  FakeNacos nacos(with_login);
  NacosClient client(at(nacos, "nacos:x@"));
  EXPECT_EQ(error_of([&] { client.enter(node(1)); }).code(), ErrorCode::kPermissionDenied);
  while (nacos.logins() < 2) EXPECT_EQ(error_of([&] { client.enter(node(1)); }).code(), ErrorCode::kPermissionDenied);
  client.enter(node(1));
  EXPECT_EQ(nacos.instances(), 1u);
}

TEST_P(NacosGenerations, AreUsedWithoutALogInThatTheyRefuseAndDoNotNeed) {
  FakeNacos nacos(options());
  NacosClient client(at(nacos, "nacos:x@"));
  client.enter(node(1));
  EXPECT_TRUE(client.beat(node(1)));
  EXPECT_EQ(nacos.logins(), 1u);
}

TEST_P(NacosGenerations, AreNotBlamedOnThePasswordWhenRightsAreMissing) {
  FakeNacos::Options no_rights = options();
  no_rights.user = "nacos";
  no_rights.password = "x";
  no_rights.no_rights = true;
  FakeNacos nacos(no_rights);
  NacosClient client(at(nacos, "nacos:x@"));
  EXPECT_THAT(refusal_of([&] { client.instances(); }, ErrorCode::kPermissionDenied),
              AllOf(HasSubstr("authorization failed"), HasSubstr("needs the right to read and write in the namespace"),
                    Not(HasSubstr("password"))));
}

TEST_P(NacosGenerations, TakeTheClusterAndTheContextOfTheAddress) {
  FakeNacos::Options elsewhere = options();
  elsewhere.context = "/registry";
  FakeNacos nacos(elsewhere);
  NacosClient client({parse_nacos_address(nacos.url() + "?context=/registry&cluster=HZ"), sse::testing::kTimeout});
  client.enter(node(1));
  EXPECT_EQ(nacos.registered_with("clusterName"), "HZ");
  EXPECT_TRUE(client.beat(node(1)));
  ASSERT_EQ(client.instances().size(), 1u);
  // A node of another cluster is found, and its entry can be removed.
  NacosClient other({parse_nacos_address(nacos.url() + "?context=/registry"), sse::testing::kTimeout});
  ASSERT_EQ(other.instances().size(), 1u);
  other.remove(other.instances().front());
  EXPECT_EQ(nacos.instances(), 0u);
  NacosClient lost(at(nacos));
  EXPECT_THAT(refusal_of([&] { lost.instances(); }, ErrorCode::kIo), HasSubstr("?context=/PATH"));
}

TEST_P(NacosGenerations, AcceptRequestsThatAreSignedWithTheirKey) {
  FakeNacos::Options with_key = options();
  with_key.access_key = "LTAI";
  with_key.secret_key = "s3cret";
  FakeNacos nacos(with_key);
  NacosClient::Options signed_options = at(nacos);
  signed_options.access_key = "LTAI";
  signed_options.secret_key = "s3cret";
  NacosClient client(signed_options);
  client.enter(node(1));
  EXPECT_TRUE(client.beat(node(1)));
  EXPECT_FALSE(nacos.is_in_access_log("s3cret"));
  signed_options.secret_key = "other";
  NacosClient wrong(signed_options);
  EXPECT_THAT(refusal_of([&] { wrong.instances(); }, ErrorCode::kPermissionDenied), HasSubstr("check the access key"));
}

TEST_P(NacosGenerations, HideDisabledInstancesAndKnowThem) {
  FakeNacos nacos(options());
  NacosClient client(at(nacos));
  client.enter(node(1));
  nacos.set_enabled("a", false);
  EXPECT_TRUE(client.instances().empty());
  EXPECT_TRUE(client.beat(node(1)));
  nacos.set_enabled("a", true);
  EXPECT_EQ(client.instances().size(), 1u);
}

TEST_P(NacosGenerations, SpeakHttpsWithACertificateThatIsTrusted) {
  const sse::testing::TempFolder folder;
  const sse::testing::Certificate certificate(folder, "nacos");
  FakeNacos::Options tls = options();
  tls.tls_certificate = certificate.file;
  tls.tls_key = certificate.key;
  FakeNacos nacos(tls);
  NacosClient::Options trusting = at(nacos);
  trusting.ca_file = certificate.file;
  NacosClient client(trusting);
  client.enter(node(1));
  EXPECT_EQ(client.instances().size(), 1u);
  NacosClient distrusting(at(nacos));
  EXPECT_THAT(refusal_of([&] { distrusting.instances(); }, ErrorCode::kUnavailable), HasSubstr("SSL"));
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

// Their default, and what their documentation does not say.
TEST(NacosClient, RegistersInTheUrlWhereFormBodiesAreLost) {
  FakeNacos::Options without_authentication;
  without_authentication.generation = 1;
  without_authentication.list_lag = 0ms;
  FakeNacos nacos(without_authentication);
  NacosClient::Options options = at(nacos);
  options.secret_entry = "note";
  options.omit_secret = true;
  NacosClient client(options);
  client.enter(node(1));
  client.enter(node(2));
  EXPECT_EQ(nacos.requests("POST /nacos/v1/ns/instance"), 3u);
  auto all = client.instances();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].metadata, (std::map<std::string, std::string>{{"sse-id", "a"}}));
  EXPECT_FALSE(nacos.is_in_access_log("quoted"));
  // Others need it, and have it from nowhere else.
  options.omit_secret = false;
  NacosClient needed(options);
  needed.enter(node(1));
  EXPECT_TRUE(nacos.is_in_access_log("quoted"));
  all = client.instances();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].metadata, node(1).metadata);
}

TEST(NacosClient, QuotesTheSentenceOfANacosThatNoLongerHasTheApi) {
  FakeNacos nacos;
  NacosClient client({parse_nacos_address(nacos.url() + "?api=v2"), sse::testing::kTimeout});
  EXPECT_THAT(refusal_of([&] { client.instances(); }, ErrorCode::kIo),
              AllOf(HasSubstr("status 410, Current API is removed"), Not(HasSubstr("{"))));
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
  EXPECT_THAT(refusal_of([&] { client.instances(); }, ErrorCode::kUnavailable),
              HasSubstr("it did not answer within 200ms"));
  nacos.thaw();
  EXPECT_TRUE(eventually([&] { return code_of([&] { client.instances(); }) == ErrorCode::kInternal; }));
}

}  // namespace
}  // namespace sse::cluster
