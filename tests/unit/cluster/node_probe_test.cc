#include "cluster/node_probe.h"

#include <gtest/gtest.h>

#include "cluster/http_bus.h"
#include "net/listener.h"
#include "support/client.h"
#include "support/process.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;

struct Deaf final : Bus::Receiver {
  void received(std::vector<Bus::Incoming>, Bus::Together) override {}
};

TEST(NodeProbe, TellsWhichNodeIsThereAndWhenNobodyIs) {
  Deaf deaf;
  observe::Registry metrics;
  HttpBus::Options options;
  options.node = "a~1";
  options.listen = "127.0.0.1:0";
  options.secret = "secret";
  HttpBus bus(options, metrics);
  bus.start(deaf);
  bus.set_hello({{"id", "a"}, {"facts", "not for everybody"}});
  const net::ListenAddress at = net::ListenAddress::parse(bus.address());
  const sse::testing::HttpResponse raw =
      sse::testing::HttpClient(sse::testing::Endpoint::tcp(at.host, at.port)).get(kWhoPath);
  EXPECT_EQ(raw.status, 200) << raw.body;
  const NodeProbe there = probe_node(bus.address(), sse::testing::kPatience);
  EXPECT_FALSE(there.nobody);
  EXPECT_EQ(there.who, (event::Json{{"id", "a"}}));
  bus.stop();
  EXPECT_TRUE(probe_node("127.0.0.1:1", sse::testing::kPatience).nobody);
}

TEST(NodeProbe, DoesNotKnowOfANodeThatDoesNotAnswer) {
  const net::Listener frozen(net::ListenAddress::parse("127.0.0.1:0"), "");
  const NodeProbe probe = probe_node(frozen.address().str(), 300ms);
  EXPECT_FALSE(probe.nobody);
  EXPECT_TRUE(probe.who.is_null());
}

}  // namespace
}  // namespace sse::cluster
