// Nodes and clients that meet in a real Redis.
#include "cluster/redis/redis_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <utility>

#include "base/error.h"
#include "cluster/client.h"
#include "cluster/core/topics.h"
#include "support/redis.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::RedisProcess;
using ::testing::HasSubstr;

RedisClusterOptions options_for(const RedisProcess& redis, const std::string& id) {
  RedisClusterOptions options;
  options.address = redis.url();
  options.cluster.node = id;
  options.cluster.heartbeat = 50ms;
  options.cluster.timeout = 10s;
  return options;
}

class Node final : public LocalNode {
 public:
  Node(const RedisProcess& redis, const std::string& id)
      : opened_(open_redis_cluster(options_for(redis, id), metrics_)) {
    number = opened_.cluster->join(*this);
    opened_.cluster->start();
  }
  ~Node() { opened_.cluster->stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Cluster& cluster() { return *opened_.cluster; }
  void deliver(std::vector<DeliverCommand> commands, std::function<void(std::vector<std::uint32_t>)> done) override {
    done(std::vector<std::uint32_t>(commands.size(), 1));
  }
  std::string handle(const RequestCommand& command) override {
    const RawRequest request = RawRequest::parse(command.request);
    return RawResponse{200, "text/plain", cluster().options().node + " got " + request.path}.text();
  }
  void on_messages_missed() override { ++missed; }
  event::Json facts() override { return {{"state", draining ? "draining" : "ready"}}; }
  bool knows(std::size_t nodes) {
    return eventually([&] { return cluster().nodes().size() == nodes; });
  }

  std::atomic<bool> draining{false};
  std::atomic<int> missed{0};
  unsigned number = 0;

 private:
  observe::Registry metrics_;
  RedisCluster opened_;
};

RawRequest get(const std::string& path) {
  return RawRequest::parse("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST(RedisCluster, NodesFindEachOtherAndDeliver) {
  RedisProcess redis;
  Node a(redis, "a");
  Node b(redis, "b");
  ASSERT_TRUE(a.knows(2));
  ASSERT_TRUE(b.knows(2));
  EXPECT_NE(a.number, b.number);
  std::atomic<bool> stands{false};
  b.cluster().interest().acquire({receiver_topic(ServiceName("s"), event::TargetKind::kUser, "1")},
                                 [&] { stands = true; });
  ASSERT_TRUE(eventually([&] { return stands.load(); }));
  const std::vector<DeliverCommand> commands{
      {ServiceName("s"), event::TargetKind::kUser, "1", false, "e", event::Frame::make("frame")},
      {ServiceName("s"), event::TargetKind::kUser, "2", false, "e", event::Frame::make("frame")}};
  std::promise<Cluster::Delivered> reported;
  a.cluster().finish_async(a.cluster().deliver(commands), 2,
                           [&](Cluster::Delivered result) { reported.set_value(std::move(result)); });
  const Cluster::Delivered delivered = reported.get_future().get();
  EXPECT_THAT(delivered.taken, ::testing::ElementsAre(1, 0));
  EXPECT_TRUE(delivered.missing.empty());
}

TEST(RedisCluster, AProgramWithoutAServerHasANodeAnswer) {
  RedisProcess redis;
  ClusterClient client(options_for(redis, ""));
  try {
    client.handle(get("/x"), 10s);
    FAIL() << "no node is there, and there was an answer";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("no node is in the cluster"));
  }
  Node a(redis, "a");
  EXPECT_EQ(client.handle(get("/x"), 60s).body, "a got /x");
  // One that is about to stop only where there is no other.
  Node b(redis, "b");
  a.draining = true;
  ASSERT_TRUE(eventually([&] {
    const auto nodes = b.cluster().nodes();
    return nodes.size() == 2 && nodes[0].facts.value("state", "") == "draining";
  }));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.handle(get("/x"), 60s).body, "b got /x");
}

TEST(RedisCluster, SaysWhatIsWrongBeforeAnythingRuns) {
  RedisProcess redis;
  observe::Registry metrics;
  for (const char* id : {"", "two words", "a~b", "line\nbreak"})
    EXPECT_THROW(open_redis_cluster(options_for(redis, id), metrics), Error) << id;
  RedisClusterOptions nowhere = options_for(redis, "a");
  redis.kill();
  nowhere.connect_timeout = 200ms;
  EXPECT_THROW(open_redis_cluster(nowhere, metrics), Error);
  EXPECT_THROW(ClusterClient{nowhere}, Error);
}

TEST(RedisCluster, ANodeThatWasCutOffLooksForWhatItMissed) {
  RedisProcess redis;
  Node a(redis, "a");
  ASSERT_TRUE(eventually([&] { return a.cluster().degraded().empty(); }));
  const int before = a.missed;
  redis.kill();
  ASSERT_TRUE(eventually([&] { return !a.cluster().degraded().empty(); }));
  redis.start();
  EXPECT_TRUE(eventually([&] { return a.missed > before && a.cluster().degraded().empty(); }));
}

}  // namespace
}  // namespace sse::cluster
