#include "delivery/send_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "delivery/remote_nodes.h"
#include "hub/hub.h"
#include "store/memory/memory_repository.h"
#include "unit/net/loopback.h"
#include "unit/store/forwarding_repository.h"

namespace sse::delivery {
namespace {

using event::Target;
using event::TargetKind;
using testing::Client;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The other nodes, which reply when the test says so.
class FakeNodes final : public RemoteNodes {
 public:
  struct Call {
    std::vector<std::string> events;
    Sent::Done done{};
  };

  std::unique_ptr<Sent> send(const ServiceName&, const std::vector<hub::Hub::Delivery>& deliveries) override {
    auto call = std::make_shared<Call>();
    for (const hub::Hub::Delivery& delivery : deliveries) call->events.emplace_back(delivery.frame->bytes());
    const MutexLock lock(mutex_);
    calls_.push_back(call);
    return std::make_unique<FakeSent>(*this, call);
  }
  bool may_have_local_streams(const ServiceName&, const Target&) override { return local_streams; }
  void subscribe(const ServiceName&, const hub::Names&, std::function<void()> proceed) override { proceed(); }
  void unsubscribe(const ServiceName&, const hub::Names&) override {}
  std::vector<std::string> find_delivery_states(const ServiceName&, std::vector<hub::DeliveryState>&) override {
    return {};
  }
  void client_opened(const ServiceName&, const hub::ClientKey&, ConnectionId) override {}

  std::size_t calls() const {
    const MutexLock lock(mutex_);
    return calls_.size();
  }
  const Call& call(std::size_t number) const {
    const MutexLock lock(mutex_);
    return *calls_.at(number);
  }
  bool asked(std::size_t number) const {
    const MutexLock lock(mutex_);
    return calls_.size() > number && calls_[number]->done;
  }
  void reply(std::size_t number, const std::vector<std::uint32_t>& taken, std::vector<std::string> missing = {}) {
    ASSERT_TRUE(eventually([&] { return asked(number); }));
    take(number)(taken, std::move(missing));
  }
  // As a bus does that ends.
  void drop(std::size_t number) {
    ASSERT_TRUE(eventually([&] { return asked(number); }));
    take(number);
  }

  // A test that fails may leave calls without a reply.
  void drop_all() {
    for (std::size_t i = 0; i < calls(); ++i) take(i);
  }

  std::atomic<bool> local_streams{true};

 private:
  class FakeSent final : public Sent {
   public:
    FakeSent(FakeNodes& nodes, std::shared_ptr<Call> call) : nodes_(nodes), call_(std::move(call)) {}
    void then(Done done) override {
      const MutexLock lock(nodes_.mutex_);
      call_->done = std::move(done);
    }

   private:
    FakeNodes& nodes_;
    const std::shared_ptr<Call> call_;
  };

  // A bus does not hold what it has called: the sender waits until it is destroyed.
  Sent::Done take(std::size_t number) {
    const MutexLock lock(mutex_);
    return std::exchange(calls_.at(number)->done, nullptr);
  }

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Call>> calls_;
};

// A store that counts its commits, and may fail or hold the answers to asynchronous adds back.
class ObservedStore final : public testing::ForwardingRepository, public store::AsyncAdd {
 public:
  using ForwardingRepository::ForwardingRepository;
  std::vector<store::AddOutcome> add_in_order(std::span<const store::NewMessage> messages,
                                              const std::function<void()>& committed) override {
    ++commits;
    if (fails) throw Error(ErrorCode::kIo, "the disk is full");
    std::vector<store::AddOutcome> outcomes = real().add_in_order(messages, committed);
    for (store::AddOutcome& one : outcomes) note_unsafe(one);
    return outcomes;
  }
  bool add_async(store::NewMessage message, Added added) override {
    if (fails) {
      added(std::move(message), {{}, false, 0, store::AddOutcome::Refusal{ErrorCode::kIo, "the disk is full"}});
    } else if (holds) {
      held = [this, message = std::move(message), added = std::move(added)] {
        std::vector<store::AddOutcome> outcomes = real().add_all({&message, 1});
        store::NewMessage given = message;
        added(std::move(given), std::move(outcomes.front()));
      };
    } else {
      std::vector<store::AddOutcome> outcomes = real().add_all({&message, 1});
      note_unsafe(outcomes.front());
      added(std::move(message), std::move(outcomes.front()));
    }
    return true;
  }

  int commits = 0;
  bool fails = false;
  bool holds = false;
  bool unsafe = false;  // what is stored is refused all the same
  std::function<void()> held;

 private:
  void note_unsafe(store::AddOutcome& outcome) const {
    if (unsafe) outcome.refusal = {ErrorCode::kUnavailable, "no replica has it"};
  }
};

class NoDelegate final : public hub::HubDelegate {
 public:
  bool request_replay(const hub::ReplayRequest&) override { return false; }
  void acknowledged(TargetKind, std::string_view, MessageId, ConnectionId) override {}
};

class SendPathTest : public ::testing::Test {
 protected:
  ~SendPathTest() override {
    nodes_.drop_all();
    if (path_) path_->stop();
    for (const auto& loop : loops_) loop->stop();
    path_.reset();
    publisher_.reset();
    hub_.reset();
  }
  void start(bool in_cluster = false) {
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    hub::HubOptions hub;
    hub.service = service_;
    hub_ = std::make_unique<hub::Hub>(hub, loops_, ids_, metrics_, delegate_);
    publisher_ =
        std::make_unique<Publisher>(HistoryOptions{}, *hub_, ids_, metrics_, service_, in_cluster ? &nodes_ : nullptr);
    SendPath::Options options;
    options.service = service_;
    options.ttl = std::chrono::hours(1);
    options.in_cluster = in_cluster;
    if (in_cluster) options.catalog = &repository_;
    options.on_sent = [this](const std::vector<SendRequest>& requests, const std::vector<SendOutcome>& outcomes) {
      const MutexLock lock(mutex_);
      for (std::size_t i = 0; i < requests.size(); ++i)
        reported_.push_back(requests[i].event + (outcomes[i].refusal ? " refused" : ""));
    };
    path_ = std::make_unique<SendPath>(options, *hub_, ids_, metrics_, store_, *publisher_, trace_);
    for (const auto& loop : loops_) loop->start();
  }
  static SendRequest request(const std::string& user, const std::string& data, bool qos = false) {
    return {{TargetKind::kUser, {user}, false}, "news", data, qos};
  }
  Client open(const std::string& user) {
    auto pair = testing::tcp_pair();
    hub::NewConnection fresh;
    fresh.identity.user = UserId(user);
    fresh.socket = std::move(pair.server);
    hub_->connect(std::move(fresh));
    Client client(std::move(pair.client));
    EXPECT_TRUE(client.receive_until("\n\n"));
    return client;
  }
  // Sends without waiting, and waits here.
  std::future<std::vector<SendOutcome>> async(SendRequest request) {
    auto promise = std::make_shared<std::promise<std::vector<SendOutcome>>>();
    auto future = promise->get_future();
    path_->send_async(std::move(request),
                      [promise](std::vector<SendOutcome> outcomes) { promise->set_value(std::move(outcomes)); });
    return future;
  }
  std::vector<std::string> reported() {
    const MutexLock lock(mutex_);
    return reported_;
  }

  const ServiceName service_{"hr"};
  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_, {.per_recipient = 3}};
  ObservedStore store_{repository_};
  FakeNodes nodes_;
  NoDelegate delegate_;
  Trace trace_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<hub::Hub> hub_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<SendPath> path_;
  Mutex mutex_;
  std::vector<std::string> reported_;
};

TEST_F(SendPathTest, DeliversWithoutQosAndStoresNothing) {
  start();
  Client client = open("1");
  const std::vector<SendOutcome> sent = async(request("1", "hello")).get();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].result.delivered, 1U);
  EXPECT_EQ(sent[0].result.pending, 0U);
  EXPECT_TRUE(client.receive_until("id:" + std::to_string(sent[0].result.id) + "\n"));
  EXPECT_EQ(store_.commits, 0);
  EXPECT_EQ(repository_.size(), 0U);
  EXPECT_THAT(reported(), ElementsAre("news"));
}

TEST_F(SendPathTest, StoresABulkWithOneCommitAndGivesIdsInTheOrderOfTheRequests) {
  start();
  Client client = open("1");
  std::vector<SendRequest> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(request("1", "m" + std::to_string(i), i % 2 == 0));
  const std::vector<SendOutcome> sent = path_->send_all(std::move(requests));
  ASSERT_THAT(sent, SizeIs(6));
  EXPECT_EQ(store_.commits, 1);
  EXPECT_TRUE(std::ranges::is_sorted(
      sent, [](const SendOutcome& a, const SendOutcome& b) { return a.result.id < b.result.id; }));
  ASSERT_TRUE(client.receive_until("data:m5\n\n"));
  std::size_t last = 0;
  for (int i = 0; i < 6; ++i) {
    const std::size_t at = client.received().find("data:m" + std::to_string(i) + "\n");
    ASSERT_NE(at, std::string::npos);
    EXPECT_GT(at, last);
    last = at;
  }
}

TEST_F(SendPathTest, RefusesOneOfABulkWithoutTheOthers) {
  start();
  for (int i = 0; i < 3; ++i) path_->send(request("full", "x", true));
  SendRequest invalid = request("1", "x");
  invalid.event = "two\nlines";
  SendRequest late = request("1", "x", true);
  late.event = "late";
  const std::vector<SendOutcome> sent =
      path_->send_all({invalid, request("full", "x", true), late, request("full", "not stored")});
  ASSERT_THAT(sent, SizeIs(4));
  EXPECT_EQ(sent[0].refusal->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sent[1].refusal->code, ErrorCode::kLimitExceeded);
  EXPECT_FALSE(sent[2].refusal);
  EXPECT_EQ(sent[2].result.pending, 1U);
  EXPECT_FALSE(sent[3].refusal);
  EXPECT_THAT(reported(), ElementsAre("news", "news", "news", "two\nlines refused", "news refused", "late", "news"));
  EXPECT_EQ(path_->sends(), 5U);
}

TEST_F(SendPathTest, SendsNothingWhenTheStoreFails) {
  start();
  Client client = open("1");
  store_.fails = true;
  EXPECT_THROW(path_->send_all({request("1", "plain"), request("1", "stored", true)}), Error);
  EXPECT_EQ(async(request("1", "stored", true)).get().front().refusal->code, ErrorCode::kIo);
  path_->send(request("1", "end"));
  EXPECT_TRUE(client.receive_until("data:end\n\n"));
  EXPECT_EQ(client.received().find("data:plain"), std::string::npos);
  EXPECT_EQ(client.received().find("data:stored"), std::string::npos);
  EXPECT_EQ(path_->sends(), 1U);
}

// A further try with its key sends nothing, and a stream that is open already would not get it until it reconnects.
TEST_F(SendPathTest, SendsWhatIsStoredAlthoughItIsRefused) {
  start();
  Client client = open("1");
  store_.unsafe = true;
  EXPECT_EQ(async(request("1", "async", true)).get().front().refusal->code, ErrorCode::kUnavailable);
  EXPECT_TRUE(client.receive_until("data:async\n\n"));
  EXPECT_THROW(path_->send(request("1", "waiting", true)), Error);
  EXPECT_TRUE(client.receive_until("data:waiting\n\n"));
  EXPECT_EQ(path_->sends(), 0U);
}

TEST_F(SendPathTest, PublishesAgainWhatANodeHasNotAnsweredTo) {
  start(true);
  auto sent = async(request("1", "kept", true));
  nodes_.reply(0, {0}, {"b"});
  const MessageId message(sent.get().front().result.id);
  auto plain = async(request("1", "plain"));
  nodes_.reply(1, {0}, {"b"});
  plain.get();
  EXPECT_FALSE(path_->any_unreached());
  const auto again = [&](std::size_t call, std::vector<std::string> missing) {
    clock_.advance(UnreachedMessages::kDelay);
    EXPECT_TRUE(path_->any_unreached());
    auto done = std::async(std::launch::async, [&] { path_->send_unreached(); });
    nodes_.reply(call, {0}, std::move(missing));
    done.get();
  };
  again(2, {"b"});
  EXPECT_THAT(nodes_.call(2).events, ElementsAre(HasSubstr("data:kept")));
  again(3, {});
  EXPECT_THAT(nodes_.call(3).events, ElementsAre(HasSubstr("data:kept")));
  clock_.advance(UnreachedMessages::kDelay);
  EXPECT_FALSE(path_->any_unreached());
  EXPECT_EQ(path_->sends(), 2U);
  EXPECT_EQ(repository_.find(message).size(), 1U);
}

TEST_F(SendPathTest, DoesNotPublishAgainWhatIsNoLongerPending) {
  start(true);
  auto sent = async(request("1", "kept", true));
  nodes_.reply(0, {0}, {"b"});
  repository_.erase(MessageId(sent.get().front().result.id));
  clock_.advance(UnreachedMessages::kDelay);
  path_->send_unreached();
  EXPECT_FALSE(path_->any_unreached());
  EXPECT_EQ(nodes_.calls(), 1U);
}

TEST_F(SendPathTest, ReportsARepeatedRequestWithoutSendingIt) {
  start();
  Client client = open("1");
  SendRequest keyed = request("1", "once", true);
  keyed.key = "key";
  const std::uint64_t first = path_->send(keyed).id;
  const SendOutcome second = async(keyed).get().front();
  EXPECT_TRUE(second.result.repeated);
  EXPECT_EQ(second.result.id, first);
  EXPECT_THAT(second.result.recipients, IsEmpty());
  EXPECT_EQ(path_->sends(), 1U);
}

TEST_F(SendPathTest, RefusesAnEventThatNoStreamCanCarryBeforeItIsStored) {
  start();
  SendRequest invalid = request("1", "x", true);
  invalid.event = "two\nlines";
  EXPECT_EQ(async(invalid).get().front().refusal->code, ErrorCode::kInvalidArgument);
  EXPECT_THROW(path_->send(invalid), Error);
  EXPECT_EQ(repository_.size(), 0U);
}

TEST_F(SendPathTest, TellsWhetherASendWouldWait) {
  start();
  EXPECT_TRUE(path_->sends_async(true));
  EXPECT_TRUE(path_->sends_async(false));
  testing::ForwardingRepository without(repository_);
  const SendPath waiting({service_}, *hub_, ids_, metrics_, without, *publisher_, trace_);
  EXPECT_FALSE(waiting.sends_async(true));
  EXPECT_TRUE(waiting.sends_async(false));
  SendPath::Options with_history{service_};
  with_history.resumable = true;
  EXPECT_TRUE(SendPath(with_history, *hub_, ids_, metrics_, repository_, *publisher_, trace_).sends_async(true));
}

// A program that embeds the server may send too early or too late.
TEST_F(SendPathTest, RefusesASendThatWouldWaitForEverAndStoresNothing) {
  start();
  for (const auto& loop : loops_) loop->stop();
  const auto code_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kNotFound;
  };
  EXPECT_EQ(code_of([&] { path_->send(request("1", "x", true)); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { path_->send_all({request("1", "x", true)}); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { path_->send_stored({}, true); }), ErrorCode::kUnavailable);
  EXPECT_EQ(repository_.size(), 0U);
}

TEST_F(SendPathTest, RefusesToWaitOnALoopThread) {
  start();
  std::promise<ErrorCode> refused;
  loops_.front()->post([&] {
    try {
      path_->send(request("1", "x"));
      refused.set_value(ErrorCode::kNotFound);
    } catch (const Error& e) {
      refused.set_value(e.code());
    }
  });
  EXPECT_EQ(refused.get_future().get(), ErrorCode::kInternal);
  std::promise<std::size_t> sent;
  loops_.front()->post([&] {
    path_->send_async(request("1", "x"),
                      [&](const std::vector<SendOutcome>& outcomes) { sent.set_value(outcomes.size()); });
  });
  EXPECT_EQ(sent.get_future().get(), 1U);
}

TEST_F(SendPathTest, AnswersACallerThatWaitsWhenNoThreadCompletesTheSend) {
  start(true);
  nodes_.local_streams = false;
  SendPath::Sending sending = path_->start_all({request("1", "x", true)});
  nodes_.drop(0);
  const SendResult sent = sending.finish().front().result;
  EXPECT_NE(sent.id, 0U);
  EXPECT_EQ(sent.pending, 1U);
  EXPECT_EQ(sent.delivered, 0U);
  EXPECT_THAT(sent.recipients, SizeIs(1));
}

TEST_F(SendPathTest, DropsTheCallbackOfASendWhenTheLoopsHaveStopped) {
  start();
  for (const auto& loop : loops_) loop->stop();
  EXPECT_THROW(async(request("1", "x")).get(), std::future_error);
}

TEST_F(SendPathTest, StopWaitsForTheStoreAndRefusesLaterSends) {
  start();
  store_.holds = true;
  auto sent = async(request("1", "x", true));
  auto stopped = std::async(std::launch::async, [this] { path_->stop(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  std::exchange(store_.held, nullptr)();
  EXPECT_EQ(sent.get().front().result.pending, 1U);
  stopped.get();
  EXPECT_THROW(async(request("1", "x", true)).get(), std::future_error);
}

TEST_F(SendPathTest, AddsWhatOtherNodesDelivered) {
  start(true);
  Client client = open("1");
  SendRequest both = request("1", "both", true);
  both.target.names = {"1", "2"};
  auto sent = async(both);
  nodes_.reply(0, {2, 1}, {"node-3"});
  const SendResult result = sent.get().front().result;
  EXPECT_EQ(result.delivered, 4U);
  ASSERT_THAT(result.recipients, SizeIs(2));
  EXPECT_EQ(result.recipients[0].delivered, 3U);
  EXPECT_EQ(result.recipients[1].delivered, 1U);
  EXPECT_THAT(result.missing, ElementsAre("node-3"));
  EXPECT_EQ(result.pending, 2U);
  EXPECT_THAT(nodes_.call(0).events, ElementsAre(HasSubstr("data:both")));
}

TEST_F(SendPathTest, KeepsLocalRequestsOfABulkOnThisNode) {
  start(true);
  Client client = open("1");
  SendRequest local = request("1", "local");
  local.local = true;
  SendPath::Sending sending = path_->start_all({local, request("1", "everywhere")});
  nodes_.reply(0, {5}, {"node-2"});
  const std::vector<SendOutcome> sent = sending.finish();
  EXPECT_EQ(sent[0].result.delivered, 1U);
  EXPECT_THAT(sent[0].result.missing, IsEmpty());
  EXPECT_EQ(sent[1].result.delivered, 6U);
  EXPECT_THAT(sent[1].result.missing, ElementsAre("node-2"));
  EXPECT_THAT(nodes_.call(0).events, ElementsAre(HasSubstr("data:everywhere")));

  EXPECT_EQ(path_->send(local).delivered, 1U);
  EXPECT_EQ(nodes_.calls(), 1U) << "of a local request other nodes hear nothing";
}

TEST_F(SendPathTest, CountsTheStreamsOfOtherNodesWhenItHasNone) {
  start(true);
  nodes_.local_streams = false;
  SendPath::Sending sending = path_->start_all({request("1", "away"), {Target::all(), "news", "all"}});
  nodes_.reply(0, {2, 3});
  const std::vector<SendOutcome> sent = sending.finish();
  EXPECT_EQ(sent[0].result.delivered, 2U);
  EXPECT_EQ(sent[1].result.delivered, 3U);
}

TEST_F(SendPathTest, StopWaitsForOtherNodes) {
  start(true);
  auto sent = async(request("1", "x"));
  ASSERT_TRUE(eventually([&] { return nodes_.asked(0); }));
  auto stopped = std::async(std::launch::async, [this] { path_->stop(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  nodes_.reply(0, {0});
  EXPECT_THAT(sent.get(), SizeIs(1));
  stopped.get();
}

TEST_F(SendPathTest, StopsTakingSendsThatWaitForOtherNodesAtAThousand) {
  start(true);
  nodes_.local_streams = false;
  std::atomic<int> done{0};
  for (int i = 0; i < 1024; ++i) path_->send_async(request("1", "x"), [&](const std::vector<SendOutcome>&) { ++done; });
  EXPECT_FALSE(path_->sends_async(false));
  nodes_.reply(0, {0});
  EXPECT_TRUE(path_->sends_async(false));
  for (std::size_t i = 1; i < 1024; ++i) nodes_.reply(i, {0});
  EXPECT_EQ(done, 1024);
}

TEST_F(SendPathTest, SendsStoredMessagesToAllNodes) {
  start(true);
  Client client = open("1");
  SendRequest stored = request("1", "stored", true);
  stored.local = true;
  const MessageId id(path_->send(stored).id);
  std::vector<store::PendingMessage> rows = repository_.find(id);
  ASSERT_THAT(rows, SizeIs(1));
  rows.push_back(rows.front());
  rows.back().service = ServiceName("other");
  auto taken = std::async(std::launch::async, [&] { return path_->send_stored(rows, true); });
  nodes_.reply(0, {2});
  EXPECT_EQ(taken.get(), 3U);
  rows.erase(rows.begin());
  EXPECT_EQ(path_->send_stored(rows, true), 0U) << "of another service";
}

}  // namespace
}  // namespace sse::delivery
