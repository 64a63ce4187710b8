#include "cluster/core/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cluster/core/topics.h"
#include "support/eventually.h"
#include "support/memory_bus.h"
#include "support/memory_discovery.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A node whose every stream takes everything.
class TestNode final : public LocalNode {
 public:
  TestNode(const std::string& id, const std::shared_ptr<MemoryExchange>& exchange,
           const std::shared_ptr<MemoryRegistry>& registry, std::chrono::milliseconds timeout = 10s) {
    Cluster::Options options;
    options.node = id;
    options.heartbeat = 20ms;
    options.timeout = timeout;
    auto bus = std::make_unique<MemoryBus>(exchange, bus_name(id));
    MemoryBus& started = *bus;
    cluster = std::make_unique<Cluster>(options, std::move(bus), std::make_unique<MemoryDiscovery>(registry), metrics);
    started.start(cluster->receiver());
    number = cluster->join(*this);
    cluster->start();
  }
  ~TestNode() { cluster->stop(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  void deliver(std::vector<DeliverCommand> commands, std::function<void(std::vector<std::uint32_t>)> done) override {
    for (const DeliverCommand& command : commands) {
      const MutexLock lock(mutex);
      got.emplace_back(command.frame->bytes());
    }
    done(std::vector<std::uint32_t>(commands.size(), streams));
  }
  std::string handle(const RequestCommand& command) override {
    stuck.wait(true);
    if (command.entry == RequestEntry::kCluster) orders_stuck.wait(true);
    return cluster->options().node + " answers " + command.request;
  }
  AdminReply handle_admin(const AdminCommand& command) override {
    stuck.wait(true);
    if (command.operation == "unknown") return refusal_reply(ErrorCode::kInvalidArgument, "unknown");
    return {200, {}, cluster->options().node + " answers " + command.operation};
  }
  std::vector<Place> find_delivery_states(const std::vector<DeliveryStateCommand>& messages) override {
    places_stuck.wait(true);
    return std::vector<Place>(messages.size(), Place{2, ConnectionId()});
  }
  void on_messages_missed() override { ++missed; }
  event::Json facts() override { return {{"streams", streams.load()}}; }

  void hold(const std::string& user) {
    std::atomic<bool> stands{false};
    cluster->interest().acquire({receiver_topic(ServiceName("s"), event::TargetKind::kUser, user)},
                                [&] { stands = true; });
    ASSERT_TRUE(eventually([&] { return stands.load(); }));
  }
  Cluster::Delivered send(const std::string& user, const std::string& frame) {
    const std::vector<DeliverCommand> commands{
        {ServiceName("s"), event::TargetKind::kUser, user, false, "e", event::Frame::make(frame)}};
    std::promise<Cluster::Delivered> delivered;
    cluster->finish_async(cluster->deliver(commands), 1,
                          [&](Cluster::Delivered reported) { delivered.set_value(std::move(reported)); });
    return delivered.get_future().get();
  }
  bool knows(std::size_t nodes) {
    return eventually([&] { return cluster->nodes().size() == nodes; });
  }
  std::vector<std::string> frames() {
    const MutexLock lock(mutex);
    return got;
  }

  observe::Registry metrics;
  std::atomic<std::uint32_t> streams{1};
  std::atomic<bool> stuck{false};
  std::atomic<bool> orders_stuck{false};
  std::atomic<bool> places_stuck{false};
  std::atomic<int> missed{0};
  unsigned number = 0;
  Mutex mutex;
  std::vector<std::string> got GUARDED_BY(mutex);
  std::unique_ptr<Cluster> cluster;
};

class ClusterTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestNode> node(const std::string& id, std::chrono::milliseconds timeout = 10s) {
    return std::make_unique<TestNode>(id, exchange_, registry_, timeout);
  }
  std::shared_ptr<MemoryExchange> exchange_ = std::make_shared<MemoryExchange>();
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
};

// A node that is gone may have stored a message and not sent it any more.
TEST_F(ClusterTest, LooksForWhatANodeThatIsGoneMayNotHaveSent) {
  auto a = node("a");
  auto b = node("b");
  ASSERT_TRUE(a->knows(2));
  const int missed = a->missed;
  b.reset();
  ASSERT_TRUE(a->knows(1));
  EXPECT_TRUE(eventually([&] { return a->missed == missed + 1; }));
}

TEST_F(ClusterTest, DeliversToNodesThatHoldTheReceiverAndAddsUp) {
  auto a = node("a");
  auto b = node("b");
  auto c = node("c");
  auto d = node("d");
  b->streams = 2;
  c->streams = 5;
  b->hold("1");
  c->hold("1");
  c->hold("2");
  const Cluster::Delivered both = a->send("1", "first");
  EXPECT_THAT(both.taken, ElementsAre(7));
  EXPECT_THAT(both.missing, IsEmpty());
  EXPECT_THAT(a->send("2", "second").taken, ElementsAre(5));
  EXPECT_THAT(a->send("3", "third").taken, ElementsAre(0));
  EXPECT_THAT(b->frames(), ElementsAre("first"));
  EXPECT_THAT(c->frames(), ElementsAre("first", "second"));
  EXPECT_THAT(d->frames(), IsEmpty());
}

TEST_F(ClusterTest, PassesARequestOnToAllOthersOrToOne) {
  auto a = node("a");
  auto b = node("b");
  auto c = node("c");
  ASSERT_TRUE(a->knows(3));
  for (const bool admin : {false, true}) {
    const auto responses =
        a->cluster->finish(*(admin ? a->cluster->pass_on(AdminCommand{"question"})
                                   : a->cluster->pass_on(RequestCommand{RequestEntry::kPages, "", "question"})));
    ASSERT_THAT(responses.responses, SizeIs(2));
    const std::string begin = admin ? "{\"status\":200}\n" : "";
    EXPECT_EQ(responses.responses[0].node, "b");
    EXPECT_EQ(responses.responses[0].bytes, begin + "b answers question");
    EXPECT_EQ(responses.responses[1].bytes, begin + "c answers question");
    EXPECT_THAT(responses.missing, IsEmpty());
  }
  EXPECT_EQ(a->cluster->pass_on(c->number, RequestCommand{RequestEntry::kPages, "", "page"}), "c answers page");
  const AdminReply reply = a->cluster->pass_on(c->number, AdminCommand{"question"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.document, "c answers question");
  EXPECT_EQ(a->cluster->pass_on(c->number, AdminCommand{"unknown"}).status, 400);
  EXPECT_TRUE(a->cluster->is_other(c->number));
  EXPECT_FALSE(a->cluster->is_other(a->number));
  EXPECT_FALSE(a->cluster->is_other(77));
}

TEST_F(ClusterTest, NamesTheNodesThatDoNotAnswerInTime) {
  auto a = node("a", 200ms);
  auto b = node("b");
  auto c = node("c");
  ASSERT_TRUE(a->knows(3));
  c->stuck = true;
  const auto responses = a->cluster->finish(*a->cluster->pass_on(AdminCommand{"question"}));
  EXPECT_THAT(responses.responses, SizeIs(1));
  EXPECT_THAT(responses.missing, ElementsAre("c"));
  try {
    a->cluster->pass_on(c->number, RequestCommand{RequestEntry::kPages, "", "page"});
    FAIL() << "a stuck node answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kTimeout);
  }
  c->stuck = false;
  c->stuck.notify_all();
}

// Those that wait for others must not keep others from being answered.
TEST_F(ClusterTest, OrdersThatTakeLongKeepNeitherQuestionsNorPagesWaiting) {
  auto a = node("a");
  auto b = node("b");
  ASSERT_TRUE(a->knows(2));
  b->orders_stuck = true;
  std::vector<std::thread> orders;
  std::atomic<int> done{0};
  for (int i = 0; i < 64; ++i) {
    orders.emplace_back([&] {
      EXPECT_EQ(a->cluster->pass_on(b->number, RequestCommand{RequestEntry::kCluster, "", "order"}), "b answers order");
      ++done;
    });
  }
  EXPECT_TRUE(eventually([&] { return b->metrics.snapshot().at("sse_cluster_received_total") >= 64; }));
  EXPECT_EQ(a->cluster->pass_on(b->number, RequestCommand{RequestEntry::kPages, "", "page"}), "b answers page");
  EXPECT_THAT(a->cluster->pass_on(b->number, BodyCommand{"transfer", 0, 5, "piece"}), StartsWith("501 "));
  EXPECT_THAT(a->cluster->finish(*a->cluster->pass_on(AdminCommand{"question"})).missing, IsEmpty());
  EXPECT_EQ(done, 0);
  b->orders_stuck = false;
  b->orders_stuck.notify_all();
  for (std::thread& order : orders) order.join();
}

// Not one that has nothing.
TEST_F(ClusterTest, SaysWhoDidNotSayWhereMessagesAndStreamsAre) {
  auto a = node("a", 300ms);
  auto b = node("b");
  auto c = node("c");
  b->hold("1");
  c->hold("1");
  c->hold("2");
  b->hold("3");
  ASSERT_TRUE(a->knows(3));
  const auto ask = [&](const std::string& user) {
    return DeliveryStateCommand{ServiceName("s"), event::TargetKind::kUser, user, MessageId(7), "e", false};
  };
  Cluster::FoundStates found_states = a->cluster->find_delivery_states({ask("1"), ask("2"), ask("3"), ask("nobody")});
  EXPECT_THAT(found_states.unread, ElementsAre(false, false, false, false));
  EXPECT_THAT(found_states.missing, IsEmpty());
  EXPECT_EQ(found_states.places[0].state, 2u);
  EXPECT_EQ(found_states.places[3].state, 0u);
  c->places_stuck = true;
  found_states = a->cluster->find_delivery_states({ask("1"), ask("2"), ask("3"), ask("nobody")});
  EXPECT_THAT(found_states.unread, ElementsAre(true, true, false, false));
  // This bus has no names: whoever has not answered may be it.
  EXPECT_THAT(found_states.missing, Contains("c"));
  EXPECT_EQ(found_states.places[0].state, 2u);
  const std::vector<Cluster::Streams> streams = a->cluster->connections_of(
      {{ServiceName("s"), "2", "client", "", ""}, {ServiceName("s"), "3", "client", "", ""}});
  EXPECT_TRUE(streams[0].unread);
  EXPECT_FALSE(streams[1].unread);
  c->places_stuck = false;
  c->places_stuck.notify_all();
  exchange_->cut(true);
  ASSERT_TRUE(eventually([&] { return !a->cluster->degraded().empty(); }));
  found_states = a->cluster->find_delivery_states({ask("nobody")});
  EXPECT_THAT(found_states.unread, ElementsAre(true));
  EXPECT_THAT(found_states.missing, ElementsAre("b", "c"));
}

TEST_F(ClusterTest, SaysThatANodeIsGone) {
  auto a = node("a");
  auto b = node("b");
  ASSERT_TRUE(a->knows(2));
  const unsigned number = b->number;
  b.reset();
  try {
    a->cluster->pass_on(number, RequestCommand{RequestEntry::kPages, "", "page"});
    FAIL() << "a dead node answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(a->knows(1));
}

TEST_F(ClusterTest, GoesOnAloneAndSaysSoUntilItIsBack) {
  auto a = node("a");
  auto b = node("b");
  b->hold("1");
  ASSERT_TRUE(a->knows(2));
  EXPECT_EQ(a->cluster->degraded(), "");
  exchange_->cut(true);
  EXPECT_TRUE(eventually([&] { return !a->cluster->degraded().empty() && !b->cluster->degraded().empty(); }));
  const Cluster::Delivered lost = a->send("1", "lost");
  EXPECT_THAT(lost.taken, ElementsAre(0));
  EXPECT_THAT(lost.missing, ElementsAre("b"));
  EXPECT_EQ(a->metrics.snapshot().at("sse_cluster_up"), 0);
  const int missed = b->missed;
  exchange_->cut(false);
  EXPECT_TRUE(eventually([&] { return b->missed == missed + 1; }));
  EXPECT_TRUE(eventually([&] { return a->cluster->degraded().empty(); }));
  EXPECT_THAT(a->send("1", "again").taken, ElementsAre(1));
  EXPECT_THAT(b->frames(), ElementsAre("again"));
}

TEST_F(ClusterTest, ANodeOfAnotherWireVersionIsListedAndAskedNothing) {
  auto a = node("a");
  {
    const MutexLock lock(registry_->mutex);
    registry_->entries["old"] = {nullptr, Node{"old", 77, event::Json::object(), 1}, SteadyTime::max()};
  }
  ASSERT_TRUE(a->knows(2));
  try {
    a->cluster->pass_on(77, RequestCommand{RequestEntry::kPages, "", "page"});
    FAIL() << "a refused node was asked";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("node 'old' speaks version 1 "));
  }
  EXPECT_EQ(a->cluster->degraded(), "");
}

TEST_F(ClusterTest, LogsARefusedNodeOnceHoweverManyMessagesItSends) {
  auto a = node("a");
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) a->cluster->receiver().refused("old~17", 1);
  a->cluster->receiver().refused("old~18", 3);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), 2) << log;
  EXPECT_THAT(log, HasSubstr("version 1 "));
  EXPECT_THAT(log, HasSubstr("version 3 "));
}

TEST_F(ClusterTest, RefusesASecondNodeOfTheSameName) {
  auto a = node("a");
  EXPECT_THROW(node("a"), Error);
  auto b = node("b");
  EXPECT_TRUE(b->knows(2));
}

}  // namespace
}  // namespace sse::cluster
