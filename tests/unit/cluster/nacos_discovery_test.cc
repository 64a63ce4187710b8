// What only nodes in Nacos have, against a stand-in (support/nacos.h); what every discovery promises is in
// discovery_contract_test.cc.
#include "cluster/nacos/nacos_discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cluster/core/node_number.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "support/manual_time.h"
#include "support/nacos.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::error_of;
using sse::testing::FakeNacos;
using sse::testing::Moves;
using sse::testing::while_time_passes;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NacosDiscoveryTest : public ::testing::Test {
 protected:
  FakeNacos::Options stand_in(int generation = 3) const {
    FakeNacos::Options options;
    options.clock = &clock_;
    options.generation = generation;
    options.list_lag = 0ms;
    return options;
  }
  std::unique_ptr<NacosDiscovery> discovery(const FakeNacos& nacos, const std::string& id,
                                            const std::string& login = "") {
    NacosDiscovery::Options options;
    options.nacos = {parse_nacos_address(nacos.url(login)), sse::testing::kTimeout, &clock_};
    options.address = "127.0.0.1:" + std::to_string(++port_);
    options.secret = "secret";
    options.shared_secret = shared_secret_;
    options.run = id + "~" + std::to_string(port_);
    options.on_peers = [this, id](const std::vector<HttpBus::Peer>& peers) { peers_[id] = peers; };
    options.on_hello = [this, id](const event::Json& hello) { hello_[id] = hello; };
    options.heard = [this, id] { return heard_[id]; };
    return std::make_unique<NacosDiscovery>(options);
  }
  unsigned join(NacosDiscovery& discovery, const std::string& id) {
    return while_time_passes(
        clock_,
        [&] {
          return discovery.join(id, {{"state", "ready"}});
        },
        {}, Moves::kForSleepers);
  }
  // As a node does once a second.
  std::vector<Node> beat(NacosDiscovery& discovery) {
    clock_.advance(1s);
    discovery.refresh({{"state", "ready"}});
    return discovery.nodes();
  }

  ManualClock clock_;
  int port_ = 7600;
  bool shared_secret_ = false;
  std::map<std::string, std::vector<HttpBus::Peer>> peers_;
  std::map<std::string, event::Json> hello_;
  std::map<std::string, std::vector<HttpBus::Seen>> heard_;
};

TEST_F(NacosDiscoveryTest, ANodeStartsAloneWhileNacosIsAwayAndRegistersWhenItIsBack) {
  FakeNacos nacos(stand_in());
  nacos.kill();
  const auto a = discovery(nacos, "a");
  const SteadyTime begin = clock_.steady_now();
  EXPECT_EQ(join(*a, "a"), pick_number("a", {}, 0));
  EXPECT_GT(clock_.steady_now() - begin, 15s);
  EXPECT_EQ(error_of([&] { beat(*a); }).code(), ErrorCode::kUnavailable);
  nacos.start();
  EXPECT_THAT(beat(*a), SizeIs(1));
  EXPECT_EQ(nacos.instances(), 1u);
}

TEST_F(NacosDiscoveryTest, ANodeThatStartsLateDoesNotTakeTheNumberOfAnother) {
  FakeNacos nacos(stand_in());
  nacos.kill();
  const auto late = discovery(nacos, "a");
  join(*late, "a");
  nacos.start();
  // Another node of that name came meanwhile.
  const auto first = discovery(nacos, "a");
  first->join("a", {});
  EXPECT_EQ(error_of([&] { beat(*late); }).code(), ErrorCode::kConflict);
  EXPECT_EQ(nacos.instances(), 1u);
}

TEST_F(NacosDiscoveryTest, AUserThatNacosDoesNotKnowYetIsTriedAgain) {
  FakeNacos::Options options = stand_in();
  options.user = "fresh";
  options.password = "x";
  options.refused_logins = 3;
  FakeNacos nacos(options);
  const auto a = discovery(nacos, "a", "fresh:x@");
  join(*a, "a");
  EXPECT_EQ(nacos.instances(), 1u);
  const auto wrong = discovery(nacos, "b", "fresh:wrong@");
  EXPECT_EQ(error_of([&] { join(*wrong, "b"); }).code(), ErrorCode::kPermissionDenied);
}

TEST_F(NacosDiscoveryTest, ADisabledNodeSaysSoAndGoesOn) {
  for (const int generation : {1, 2, 3}) {
    FakeNacos nacos(stand_in(generation));
    const auto a = discovery(nacos, "a");
    join(*a, "a");
    EXPECT_EQ(beat(*a).at(0).unlisted, "");
    nacos.set_enabled("a", false);
    for (int second = 0; second < 10; ++second) beat(*a);
    std::vector<Node> nodes = beat(*a);
    ASSERT_THAT(nodes, SizeIs(1));
    EXPECT_EQ(nodes[0].unlisted, "disabled in Nacos") << "generation " << generation;
    EXPECT_EQ(nodes[0].id, "a");
    EXPECT_EQ(hello_["a"]["unlisted"], "disabled in Nacos");
    EXPECT_EQ(hello_["a"]["facts"]["state"], "ready");
    nacos.set_enabled("a", true);
    EXPECT_EQ(beat(*a).at(0).unlisted, "");
    EXPECT_FALSE(hello_["a"].contains("unlisted"));
  }
}

TEST_F(NacosDiscoveryTest, ANodeThatIsDisabledBeforeItStartsDoesStart) {
  FakeNacos nacos(stand_in());
  {
    const auto before = discovery(nacos, "a");
    join(*before, "a");
    nacos.set_enabled("a", false);
    before->leave();
  }
  --port_;
  const auto a = discovery(nacos, "a");
  join(*a, "a");
  EXPECT_EQ(nacos.instances(), 1u);
  for (int second = 0; second < 10; ++second) beat(*a);
  EXPECT_EQ(beat(*a).at(0).unlisted, "disabled in Nacos");
}

TEST_F(NacosDiscoveryTest, ADisabledNodeIsFoundByWhatItTellsTheOthers) {
  FakeNacos nacos(stand_in());
  const auto a = discovery(nacos, "a");
  const auto b = discovery(nacos, "b");
  const unsigned number = join(*a, "a");
  join(*b, "b");
  EXPECT_THAT(beat(*b), SizeIs(2));
  nacos.set_enabled("a", false);
  EXPECT_THAT(beat(*b), SizeIs(1));
  heard_["b"] = {{"127.0.0.1:7601", "secret", "a", "a~7601", hello_["a"], clock_.steady_now(), true, ""}};
  std::vector<Node> nodes = beat(*b);
  ASSERT_THAT(nodes, SizeIs(2));
  EXPECT_EQ(nodes[0].id, "a");
  EXPECT_EQ(nodes[0].number, number);
  EXPECT_EQ(nodes[0].unlisted, "");
  ASSERT_THAT(peers_["b"], SizeIs(1));
  EXPECT_EQ(peers_["b"][0].address, "127.0.0.1:7601");
  for (int second = 0; second < 10; ++second) beat(*a);
  heard_["b"][0].hello = hello_["a"];
  nodes = beat(*b);
  ASSERT_THAT(nodes, SizeIs(2));
  EXPECT_EQ(nodes[0].unlisted, "disabled in Nacos");
  EXPECT_EQ(nodes[0].facts, (event::Json{{"state", "ready"}}));
  // It has stopped, or is unreachable.
  heard_["b"][0].up = false;
  EXPECT_THAT(beat(*b), SizeIs(1));
  EXPECT_THAT(peers_["b"], IsEmpty());
}

TEST_F(NacosDiscoveryTest, TheSharedSecretIsUsedForNodesThatPublishNone) {
  shared_secret_ = true;
  FakeNacos nacos(stand_in(1));
  const auto a = discovery(nacos, "a");
  const auto b = discovery(nacos, "b");
  join(*a, "a");
  join(*b, "b");
  EXPECT_THAT(beat(*b), SizeIs(2));
  EXPECT_FALSE(nacos.is_in_access_log("sse-secret"));
  ASSERT_THAT(peers_["b"], SizeIs(1));
  EXPECT_EQ(peers_["b"][0].secret, "secret");
}

}  // namespace
}  // namespace sse::cluster
