#include "delivery/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/memory/memory_repository.h"
#include "support/page.h"
#include "unit/store/forwarding_repository.h"

namespace sse::delivery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using event::Target;
using event::TargetKind;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::IsEmpty;
using testing::Page;
using testing::PageOptions;
using testing::ReceivedEvent;
using ::testing::SizeIs;

Target users(std::vector<std::string> names) {
  return {TargetKind::kUser, std::move(names), false};
}

// On every stream ids ascend, and with them what one sender ("sender/number") sent.
void expect_in_order(const std::vector<ReceivedEvent>& events) {
  std::uint64_t last_id = 0;
  std::map<std::string, int> last_of;
  for (const ReceivedEvent& e : events) {
    if (e.type != "news") continue;
    const std::uint64_t id = std::stoull(e.id);
    EXPECT_GT(id, last_id) << e.data << " came too late";
    last_id = id;
    const std::size_t slash = e.data.find('/');
    if (slash == std::string::npos) continue;
    const int number = std::stoi(e.data.substr(slash + 1));
    const auto [last, first] = last_of.try_emplace(e.data.substr(0, slash), number);
    if (!first) {
      EXPECT_GT(number, std::exchange(last->second, number)) << e.data << " came too late";
    }
  }
}

// A store that cannot be read for a while.
class UnreadableRepository final : public testing::ForwardingRepository {
 public:
  using ForwardingRepository::ForwardingRepository;
  std::vector<store::PendingMessage> pending(const ServiceName& service, std::span<const store::Recipient> recipients,
                                             MessageId after, std::size_t limit, ByteCount max_bytes,
                                             WallTime now) override {
    if (failures.fetch_sub(1) > 0) throw Error(ErrorCode::kIo, "cannot read");
    return real().pending(service, recipients, after, limit, max_bytes, now);
  }

  std::atomic<int> failures{0};
};

// A store whose first caller hears late that its messages are committed.
class LateAnswerRepository final : public testing::ForwardingRepository, public store::AsyncAdd {
 public:
  using ForwardingRepository::ForwardingRepository;
  std::vector<store::AddOutcome> add_in_order(std::span<const store::NewMessage> messages,
                                              const std::function<void()>& committed) override {
    std::vector<store::AddOutcome> outcomes = real().add_in_order(messages, committed);
    if (calls_.fetch_add(1) == 0) answer_.wait();
    return outcomes;
  }
  bool add_async(store::NewMessage message, Added added) override {
    return store::ability<store::AsyncAdd>(real())->add_async(std::move(message), added);
  }

  int calls() const { return calls_; }
  void answer() { answer_.count_down(); }

 private:
  std::atomic<int> calls_{0};
  std::latch answer_{1};
};

class SenderTest : public ::testing::Test {
 protected:
  SenderTest() { options_.hub.service = ServiceName("hr"); }
  ~SenderTest() override {
    sender_->stop();
    for (const auto& loop : loops_) loop->stop();
    sender_.reset();
  }

  void start(std::size_t loops = 2) { start(repository_, loops); }
  void start(store::MessageRepository& repository, std::size_t loops = 2) {
    for (std::size_t i = 0; i < loops; ++i)
      loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    sender_ = std::make_unique<Sender>(options_, loops_, ids_, metrics_, repository);
    for (const auto& loop : loops_) loop->start();
  }

  Page connect(const PageOptions& options) { return testing::connect_page(sender_->hub(), options); }
  Page open(const PageOptions& options) { return testing::open_page(sender_->hub(), options); }
  SendResult send(Target target, std::string data, bool qos = true) {
    return sender_->send({std::move(target), "news", std::move(data), qos, milliseconds(0)});
  }
  bool all_confirmed() {
    return eventually([&] { return repository_.size() == 0; });
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name + "{service=\"hr\"}"]; }

  SenderOptions options_;
  IdGenerator ids_{1};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  UnreadableRepository unreadable_{repository_};
  LateAnswerRepository late_{repository_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Sender> sender_;
};

TEST_F(SenderTest, ConfirmsWhatAnOnlineUserReceived) {
  start();
  Page page = open({.user = "1"});
  const SendResult sent = send(users({"1"}), "hello");
  EXPECT_EQ(sent.delivered, 1U);
  EXPECT_EQ(sent.pending, 1U);
  ASSERT_THAT(sent.recipients, SizeIs(1));
  EXPECT_EQ(sent.recipients[0].name, "1");
  EXPECT_EQ(sent.recipients[0].delivered, 1U);
  EXPECT_THAT(page.events(1), ElementsAre(ReceivedEvent{"news", "hello", std::to_string(sent.id)}));
  EXPECT_TRUE(all_confirmed());
  EXPECT_EQ(metric("sse_confirmed_total"), 1);
}

TEST_F(SenderTest, CountsAMessageAsConfirmedOnceHoweverOftenItWas) {
  start();
  Page one = open({.user = "1"});
  Page two = open({.user = "1"});
  const SendResult both = send(users({"1"}), "to both");
  const auto confirmations = [&](std::uint64_t id) {
    const auto story = sender_->trace().of(MessageId(id));
    return std::ranges::count(story, Trace::Step::kConfirmed, &Trace::Entry::what);
  };
  ASSERT_TRUE(eventually([&] { return confirmations(both.id) == 2; }));
  EXPECT_EQ(metric("sse_confirmed_total"), 1);

  // Retried while the first copy is on its way: each is confirmed, one counts.
  const SendResult sent = send(users({"2"}), "to nobody");
  std::vector<store::PendingMessage> rows = repository_.find(MessageId(sent.id));
  Page late = open({.user = "2"});
  late.events(1);
  ASSERT_TRUE(all_confirmed());
  EXPECT_EQ(sender_->retry(rows), 1U);
  late.events(2);
  ASSERT_TRUE(eventually([&] { return confirmations(sent.id) == 2; }));
  EXPECT_EQ(metric("sse_confirmed_total"), 2);
}

TEST_F(SenderTest, TellsWhyAnAttemptFailed) {
  start();
  // A reader that takes nothing: its machine acknowledges what fits into its buffer and no more.
  Page page = open({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  const SendResult sent = send(users({"1"}), std::string(600'000, 'x'));
  page.client.close();
  const auto failed = [&] {
    const auto story = sender_->trace().of(MessageId(sent.id));
    const auto entry = std::ranges::find(story, Trace::Step::kFailed, &Trace::Entry::what);
    // Reset or FIN, depending on what lay in the client's buffer.
    return entry != story.end() && entry->connection == page.id &&
           (entry->reason == net::CloseReason::kConnectionLost || entry->reason == net::CloseReason::kClientClosed);
  };
  EXPECT_TRUE(eventually(failed));
  EXPECT_EQ(repository_.size(), 1U);
  EXPECT_EQ(metric("sse_attempts_total"), 1);
  EXPECT_TRUE(eventually([&] { return metric("sse_attempts_failed_total") == 1; }));
}

TEST_F(SenderTest, GivesWhatCouldNotBeReadWhenItCanBeRead) {
  start(unreadable_, 1);
  send(users({"1"}), "early");
  send(users({"2"}), "early, too");
  SendRequest for_listeners{{TargetKind::kUser, {"3"}, true}, "news", "listening", true, milliseconds(0)};
  sender_->send(for_listeners);
  unreadable_.failures = 4;
  Page one = connect({.user = "1"});
  Page two = connect({.user = "2"});
  Page three = open({.user = "3"});
  sender_->hub().change_listeners(three.id, {UserId("3")}, {"news"}, true);
  EXPECT_THAT(one.data(1), ElementsAre("early"));
  EXPECT_THAT(two.data(1), ElementsAre("early, too"));
  EXPECT_THAT(three.data(1), ElementsAre("listening"));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, AnswersAKeptMessageWithoutAThreadThatWaits) {
  start();
  Page page = open({.user = "1"});
  ASSERT_TRUE(sender_->sends_async(true));
  std::mutex mutex;
  std::vector<SendOutcome> outcomes;
  const auto keep = [&](SendRequest request) {
    const std::size_t before = outcomes.size();
    sender_->send_async(std::move(request), [&](const std::vector<SendOutcome>& sent) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(sent.front());
    });
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return outcomes.size() > before;
    }));
  };
  SendRequest request{users({"1", "2"}), "news", "hello", true, milliseconds(0), "key"};
  keep(request);
  keep(request);
  ASSERT_THAT(outcomes, SizeIs(2));
  EXPECT_EQ(outcomes[0].result.pending, 2U);
  EXPECT_EQ(outcomes[0].result.delivered, 1U);
  ASSERT_THAT(outcomes[0].result.recipients, SizeIs(2));
  EXPECT_EQ(outcomes[0].result.recipients[1].name, "2");
  EXPECT_FALSE(outcomes[0].result.repeated);
  EXPECT_TRUE(outcomes[1].result.repeated);
  EXPECT_EQ(outcomes[1].result.id, outcomes[0].result.id);
  EXPECT_THAT(page.events(1), ElementsAre(ReceivedEvent{"news", "hello", std::to_string(outcomes[0].result.id)}));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 1; }));
  EXPECT_EQ(step_name(sender_->trace().of(MessageId(outcomes[0].result.id))[1].what), "committed");
}

TEST_F(SenderTest, KeepsNothingWithoutQos) {
  start();
  const SendResult sent = send(users({"1"}), "hello", false);
  EXPECT_EQ(sent.delivered, 0U);
  EXPECT_EQ(sent.pending, 0U);
  EXPECT_NE(sent.id, 0U);
  EXPECT_EQ(repository_.size(), 0U);
}

TEST_F(SenderTest, ReplaysInOrderWithTheSameIdsAndGoesOnLive) {
  start();
  std::vector<ReceivedEvent> expected;
  for (int i = 0; i < 5; ++i) {
    const SendResult sent = send(users({"1"}), "old " + std::to_string(i));
    EXPECT_EQ(sent.delivered, 0U);
    EXPECT_EQ(sent.pending, 1U);
    expected.push_back({"news", "old " + std::to_string(i), std::to_string(sent.id)});
  }
  EXPECT_EQ(repository_.size(), 5U);
  Page page = connect({.user = "1"});
  const SendResult live = send(users({"1"}), "live", false);
  const SendResult kept = send(users({"1"}), "kept");
  std::vector<ReceivedEvent> got = page.events(7);
  ASSERT_THAT(got, SizeIs(7));
  EXPECT_EQ(std::vector<ReceivedEvent>(got.begin(), got.begin() + 5), expected);
  EXPECT_THAT(std::vector<ReceivedEvent>(got.begin() + 5, got.end()),
              ::testing::UnorderedElementsAre(ReceivedEvent{"news", "live", std::to_string(live.id)},
                                              ReceivedEvent{"news", "kept", std::to_string(kept.id)}));
  EXPECT_TRUE(all_confirmed());
  Page again = open({.user = "1"});
  send(users({"1"}), "end", false);
  EXPECT_THAT(again.data(1), ElementsAre("end"));
}

TEST_F(SenderTest, TracksEveryUserOfAMessageAlone) {
  start();
  Page online = open({.user = "on"});
  const SendResult sent = send(users({"off", "on", "off2"}), "hello");
  EXPECT_EQ(sent.delivered, 1U);
  EXPECT_EQ(sent.pending, 3U);
  EXPECT_THAT(online.data(1), ElementsAre("hello"));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 2; }));
  Page off = connect({.user = "off"});
  EXPECT_THAT(off.events(1), ElementsAre(ReceivedEvent{"news", "hello", std::to_string(sent.id)}));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 1; }));
  Page off2 = connect({.user = "off2"});
  EXPECT_THAT(off2.data(1), ElementsAre("hello"));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, KeepsForATokenATenantAChannelAndAllUntilTheFirstTakesIt) {
  start();
  send({TargetKind::kToken, {"k"}, false}, "token");
  send({TargetKind::kTenant, {"t"}, false}, "tenant");
  send({TargetKind::kChannel, {"c"}, false}, "channel");
  send(Target::all(), "all");
  EXPECT_EQ(repository_.size(), 4U);
  Page stranger = connect({.user = "x", .tenant = "other"});
  EXPECT_THAT(stranger.data(1), ElementsAre("all"));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 3; }));
  Page page = connect({.user = "1", .tenant = "t", .token = "k", .channel = "c"});
  EXPECT_THAT(page.data(3), ElementsAre("token", "tenant", "channel"));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, SendsToAUserOfOneTenantAndKeepsForNoOther) {
  start();
  const Target acme{TargetKind::kMember, {event::member_name("1", "acme")}, false};
  Page other = open({.user = "1", .tenant = "other"});
  Page none = open({.user = "1"});
  EXPECT_EQ(send(acme, "kept").delivered, 0U);
  EXPECT_EQ(send(acme, "lost", false).delivered, 0U);
  EXPECT_EQ(repository_.size(), 1U);
  Page page = open({.user = "1", .tenant = "acme"});
  EXPECT_TRUE(page.client.receive_until("data:kept\n\n"));
  EXPECT_TRUE(all_confirmed());
  EXPECT_EQ(send(acme, "live").delivered, 1U);
  EXPECT_EQ(send({TargetKind::kUser, {"1"}, false}, "everybody's", false).delivered, 3U);
  EXPECT_TRUE(page.client.receive_until("data:everybody's\n\n"));
  EXPECT_THAT(page.client.received(), HasSubstr("data:live\n\n"));
  for (Page* stranger : {&other, &none}) {
    EXPECT_TRUE(stranger->client.receive_until("data:everybody's\n\n"));
    EXPECT_THAT(stranger->client.received(), AllOf(Not(HasSubstr("kept")), Not(HasSubstr("live"))));
  }
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, KeepsWhatWasInAConnectionThatDied) {
  start(1);
  Page page = open({.user = "1", .send_buffer = 256 * 1024, .receive_buffer = 2048});
  send(users({"1"}), "got it");
  ASSERT_TRUE(all_confirmed());
  // Fits into our socket and not into the peer's window: written, and never received.
  const SendResult filler = send(users({"1"}), std::string(100'000, 'x'), false);
  const SendResult lost = send(users({"1"}), "lost");
  EXPECT_EQ(filler.delivered + lost.delivered, 2U);
  ASSERT_TRUE(eventually([&] { return sender_->hub().directory().describe(page.id)->backlog_bytes == 0; }));
  page.client.reset();
  ASSERT_TRUE(eventually([&] { return sender_->hub().directory().sockets() == 0; }));
  EXPECT_EQ(repository_.size(), 1U);
  Page next = connect({.user = "1"});
  EXPECT_THAT(next.events(1), ElementsAre(ReceivedEvent{"news", "lost", std::to_string(lost.id)}));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, ConfirmsOnlyWhenOneOfTheUsersConnectionsHasIt) {
  start(1);
  Page stuck = open({.user = "1", .send_buffer = 4096, .receive_buffer = 2048});
  send(users({"1"}), std::string(500'000, 'x'), false);
  send(users({"1"}), "kept");
  EXPECT_EQ(repository_.size(), 1U);
  Page second = connect({.user = "1"});
  EXPECT_THAT(second.data(1), ElementsAre("kept"));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, WaitsForAListenerAndThenSendsWhatIsPending) {
  start();
  Page page = open({.user = "1"});
  Target target = users({"1"});
  target.listening = true;
  const SendResult sent = send(target, "for listeners");
  EXPECT_EQ(sent.delivered, 0U);
  send(users({"1"}), "plain");
  EXPECT_THAT(page.data(1), ElementsAre("plain"));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 1; }));
  sender_->hub().change_listeners(page.id, {UserId("1")}, {"other"}, true);
  sender_->hub().change_listeners(page.id, {UserId("1")}, {"news"}, true);
  EXPECT_THAT(page.data(2), ElementsAre("plain", "for listeners"));
  EXPECT_TRUE(all_confirmed());
  EXPECT_EQ(send(target, "live").delivered, 1U);
  EXPECT_THAT(page.data(3), ElementsAre("plain", "for listeners", "live"));
}

TEST_F(SenderTest, DoesNotReplayToOneWhoDoesNotListen) {
  start();
  Target target = users({"1"});
  target.listening = true;
  send(target, "for listeners");
  Page deaf = open({.user = "1"});
  send(users({"1"}), "end", false);
  EXPECT_THAT(deaf.data(1), ElementsAre("end"));
  Page listens = connect({.user = "1", .listeners = {"news"}});
  EXPECT_THAT(listens.data(1), ElementsAre("for listeners"));
}

TEST_F(SenderTest, ReplaysMoreThanAPageAndABacklogInOrder) {
  options_.hub.stream.max_backlog = 8192;
  start(1);
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back(std::to_string(i) + std::string(2000, 'x'));
    send(users({"1"}), expected.back());
  }
  Page page = connect({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  EXPECT_TRUE(page.data(1000) == expected);
  EXPECT_TRUE(all_confirmed());
  EXPECT_EQ(metric("sse_replayed_total"), 1000);
  EXPECT_TRUE(sender_->hub().directory().describe(page.id).has_value());
}

TEST_F(SenderTest, ReplaysAMessageLargerThanTheBacklog) {
  options_.hub.stream.max_backlog = 8192;
  start(1);
  const std::string large(1'000'000, 'x');
  send(users({"1"}), "before");
  send(users({"1"}), large);
  send(users({"1"}), "after");
  Page page = connect({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
  EXPECT_TRUE(page.data(3) == (std::vector<std::string>{"before", large, "after"}));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, ForgetsNothingWhenAClientLeavesInTheMiddleOfAReplay) {
  options_.hub.stream.max_backlog = 8192;
  start(1);
  for (int i = 0; i < 300; ++i) send(users({"1"}), std::to_string(i) + std::string(2000, 'x'));
  {
    Page page = connect({.user = "1", .send_buffer = 4096, .receive_buffer = 4096});
    EXPECT_GE(page.data(20).size(), 20U);
    page.client.reset();
  }
  ASSERT_TRUE(eventually([&] { return sender_->hub().directory().sockets() == 0; }));
  const std::uint64_t left = repository_.size();
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 300U);
  Page rest = connect({.user = "1"});
  // What was confirmed does not come again, and everything else does.
  const std::vector<std::string> again = rest.data(left);
  ASSERT_EQ(again.size(), left);
  for (std::size_t i = 0; i < left; ++i) EXPECT_EQ(again[i], std::to_string(300 - left + i) + std::string(2000, 'x'));
  EXPECT_TRUE(all_confirmed());
}

TEST_F(SenderTest, SendsNothingWhenItCannotBeKept) {
  store::MemoryRepository small(ids_, {.per_recipient = 1});
  for (std::size_t i = 0; i < 1; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop"));
  sender_ = std::make_unique<Sender>(options_, loops_, ids_, metrics_, small);
  loops_.front()->start();
  send(users({"1"}), "fits");
  Page page = open({.user = "2"});
  try {
    send(users({"2", "1"}), "too much");
    ADD_FAILURE() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLimitExceeded);
  }
  send(users({"2"}), "end", false);
  EXPECT_THAT(page.data(1), ElementsAre("end"));
  EXPECT_EQ(small.size(), 1U);
  sender_->stop();
  loops_.front()->stop();
  sender_.reset();
  sender_ = std::make_unique<Sender>(options_, loops_, ids_, metrics_, repository_);
}

TEST_F(SenderTest, RefusesAnEventNoStreamCanCarry) {
  start();
  for (const std::string name : {"a\nb", "a\rb", "\xff"}) {
    EXPECT_THROW(sender_->send({users({"1"}), name, "x", true, milliseconds(0)}), Error);
  }
  EXPECT_THROW(send(users({"1"}), "\xed\xa0\x80"), Error);
  EXPECT_EQ(repository_.size(), 0U);
}

TEST_F(SenderTest, DoesNotDeliverWhatHasExpired) {
  start();
  const WallTime sent = wall_now();
  sender_->send({users({"1"}), "news", "late", true, milliseconds(1)});
  ASSERT_TRUE(eventually([&] { return wall_now() > sent + milliseconds(2); }));
  Page page = open({.user = "1"});
  send(users({"1"}), "end");
  EXPECT_THAT(page.data(1), ElementsAre("end"));
}

TEST_F(SenderTest, CarriesDataAsItIs) {
  start();
  Page page = open({.user = "1"});
  const std::string data = " leading space\n\n:not a comment\nid: not an id\n服务端 \xF0\x9F\x98\x80";
  send(users({"1"}), data);
  ASSERT_TRUE(page.client.receive_until("\xF0\x9F\x98\x80\n\n"));
  EXPECT_THAT(page.data(1), ElementsAre(data));
}

TEST_F(SenderTest, ConfirmsNothingThatWasCutInTheMiddleByAReset) {
  start();
  const std::string large(4'000'000, 'x');
  for (int i = 0; i < 5; ++i) {
    Page page = connect({.user = "1", .send_buffer = 65536, .receive_buffer = 65536});
    ASSERT_TRUE(page.client.receive_until("connect-finish"));
    if (i == 0) send(users({"1"}), large);
    ASSERT_TRUE(page.client.receive_bytes(100'000 * static_cast<std::size_t>(i + 1)));
    page.client.reset();
    ASSERT_TRUE(eventually([&] { return sender_->hub().directory().connections() == 0; }));
    EXPECT_EQ(repository_.size(), 1U);
  }
  Page page = open({.user = "1"});
  EXPECT_THAT(page.data(1), ElementsAre(large));
  EXPECT_TRUE(all_confirmed());
}

// Streams of three users come and go while four threads send: no user misses a message, doubles have the same id, and
// each stream has them in the order in which they were accepted.
TEST_F(SenderTest, LosesNothingWhileStreamsComeAndGo) {
  options_.hub.client_max_connections = 0;
  start(2);
  constexpr int kSenders = 4;
  constexpr int kMessages = 150;
  const std::vector<std::string> names{"1", "2", "3"};
  std::atomic<bool> sending{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < kSenders; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessages; ++i) {
        const SendResult sent = send(users({"1", "2", "3"}), std::to_string(t) + "/" + std::to_string(i));
        EXPECT_EQ(sent.pending, 3U);
      }
    });
  }
  std::map<std::string, std::map<std::string, std::string>> received;  // user → data → id
  Mutex mutex;
  std::vector<std::thread> readers;
  for (const std::string& name : names) {
    readers.emplace_back([&, name] {
      std::map<std::string, std::string> mine;
      std::size_t turn = 0;
      while (mine.size() < static_cast<std::size_t>(kSenders) * kMessages) {
        Page page = connect({.user = name});
        const bool last_turn = !sending;
        // A few reads, then away; a clean end confirms what was read and nothing else.
        for (std::size_t reads = 0; reads < 3 + turn % 5; ++reads) {
          if (!page.client.receive_some(last_turn ? milliseconds(2000) : milliseconds(20))) break;
        }
        for (const ReceivedEvent& e : testing::parse_events(page.client.received())) {
          if (e.type != "news") continue;
          const auto [entry, fresh] = mine.emplace(e.data, e.id);
          EXPECT_EQ(entry->second, e.id) << "a double with another id";
        }
        // What TCP has and the parser has not seen would be confirmed and lost to this test, not to a client that
        // reads on: so read on.
        if (last_turn && mine.size() < static_cast<std::size_t>(kSenders) * kMessages) {
          page.client.receive_some(milliseconds(100));
        }
        page.client.finish();
        page.client.receive_all();
        const std::vector<ReceivedEvent> all = testing::parse_events(page.client.received());
        expect_in_order(all);
        for (const ReceivedEvent& e : all) {
          if (e.type == "news") mine.emplace(e.data, e.id);
        }
        if (++turn > 2000) break;
      }
      const MutexLock lock(mutex);
      received[name] = std::move(mine);
    });
  }
  for (std::thread& thread : threads) thread.join();
  sending = false;
  for (std::thread& thread : readers) thread.join();
  for (const std::string& name : names) {
    EXPECT_THAT(received[name], SizeIs(static_cast<std::size_t>(kSenders) * kMessages)) << "user " << name;
    EXPECT_EQ(received[name], received["1"]);
  }
  EXPECT_TRUE(all_confirmed());
}

// One stream opens while others send to it: exactly once, as it never closes, and in order.
TEST_F(SenderTest, DeliversExactlyOnceToAStreamThatOpensMeanwhile) {
  start(2);
  constexpr int kMessages = 200;
  for (int round = 0; round < 5; ++round) {
    const std::string user = "user-" + std::to_string(round);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kMessages; ++i) send(users({user}), std::to_string(t) + "/" + std::to_string(i), true);
      });
    }
    ASSERT_TRUE(eventually([&] { return repository_.size() > 20; }));
    Page page = connect({.user = user});
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(all_confirmed());
    send(users({user}), "end", false);
    ASSERT_TRUE(page.client.receive_until("data:end\n\n"));
    expect_in_order(page.events(0));
    std::vector<std::string> got = page.data(0);
    std::ranges::sort(got);
    EXPECT_EQ(std::ranges::adjacent_find(got), got.end()) << "delivered twice";
    EXPECT_THAT(got, SizeIs(3 * kMessages + 1));
  }
}

// Two set the state of one thing. What is committed last is what its reader ends with, whichever sender's thread is
// slow.
TEST_F(SenderTest, DeliversInTheOrderOfTheCommitsWhicheverSenderIsSlow) {
  start(late_, 1);
  Page page = open({.user = "1"});
  const auto request = [](const std::string& data, bool qos = true) {
    SendRequest r{users({"1"}), "news", data, qos, milliseconds(0)};
    if (qos) r.collapse = "price";
    return r;
  };
  std::thread slow([&] { sender_->send(request("first")); });
  ASSERT_TRUE(eventually([&] { return late_.calls() == 1; }));
  Sender::Sending second = sender_->start_all({request("second")});
  std::atomic<bool> reported{false};
  sender_->send_async(request("third"), [&](const std::vector<SendOutcome>&) { reported = true; });
  // One sender's events stay in their order, too, of which the last is not kept.
  Sender::Sending fourth = sender_->start_all({request("fourth", false)});
  EXPECT_FALSE(reported);
  late_.answer();
  EXPECT_EQ(second.finish().front().result.delivered, 1U);
  EXPECT_EQ(fourth.finish().front().result.delivered, 1U);
  slow.join();
  EXPECT_THAT(page.data(4), ElementsAre("first", "second", "third", "fourth"));
  EXPECT_TRUE(eventually([&] { return reported.load(); }));
  EXPECT_TRUE(all_confirmed());
}

}  // namespace
}  // namespace sse::delivery
