#include "cluster/mesh/node_probe.h"

#include <gtest/gtest.h>

#include "cluster/core/wire_version.h"
#include "cluster/mesh/http_bus.h"
#include "net/listener.h"
#include "support/client.h"
#include "support/eventually.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;

struct IgnoreCommands final : Bus::Receiver {
  void received(std::vector<Bus::Incoming>, Bus::ReplyBatch) override {}
};

TEST(NodeProbe, ReportsWhichNodeIsThereAndWhenNoneIs) {
  IgnoreCommands deaf;
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
      sse::testing::HttpClient(sse::testing::Endpoint::tcp(at.host, at.port)).get(kNodeInfoPath);
  EXPECT_EQ(raw.status, 200) << raw.body;
  const NodeProbe there = probe_node(bus.address(), sse::testing::kTimeout);
  EXPECT_FALSE(there.not_a_node);
  EXPECT_EQ(there.node_info, (event::Json{{"id", "a"}, {"wire", kWireVersion}}));
  bus.stop();
  EXPECT_TRUE(probe_node("127.0.0.1:1", sse::testing::kTimeout).not_a_node);
}

TEST(NodeProbe, DoesNotKnowOfANodeThatDoesNotAnswer) {
  const net::Listener frozen(net::ListenAddress::parse("127.0.0.1:0"), "");
  const NodeProbe probe = probe_node(frozen.address().str(), 300ms);
  EXPECT_FALSE(probe.not_a_node);
  EXPECT_TRUE(probe.node_info.is_null());
}

}  // namespace
}  // namespace sse::cluster
