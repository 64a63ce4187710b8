#include "delivery/confirmed_sends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "delivery/publisher.h"
#include "hub/hub.h"
#include "store/memory/memory_repository.h"
#include "unit/net/loopback.h"

namespace sse::delivery {
namespace {

using event::TargetKind;
using std::chrono::hours;
using std::chrono::milliseconds;
using testing::eventually;
using ::testing::SizeIs;

class NoDelegate final : public hub::HubDelegate {
 public:
  bool request_replay(const hub::ReplayRequest&) override { return false; }
  void acknowledged(TargetKind, std::string_view, MessageId, ConnectionId) override {}
};

// No streams are open: the test confirms by itself.
class ConfirmedSendsTest : public ::testing::Test {
 protected:
  ConfirmedSendsTest() {
    for (const auto& loop : loops_) loop->start();
  }
  ~ConfirmedSendsTest() override {
    sends_.stop();
    path_.stop();
    for (const auto& loop : loops_) loop->stop();
  }
  static std::vector<std::unique_ptr<net::EventLoop>> one_loop(const Clock& clock) {
    std::vector<std::unique_ptr<net::EventLoop>> loops;
    loops.push_back(std::make_unique<net::EventLoop>("loop", clock));
    return loops;
  }
  static hub::HubOptions hub_options() {
    hub::HubOptions options;
    options.service = ServiceName("hr");
    return options;
  }
  static SendPath::Options path_options() {
    SendPath::Options options;
    options.service = ServiceName("hr");
    options.ttl = hours(10);
    return options;
  }
  static SendRequest request(std::vector<std::string> users) {
    return {{TargetKind::kUser, std::move(users), false}, "news", "data", true};
  }
  std::future<SendResult> start(const SendRequest& request, milliseconds timeout = hours(1)) {
    auto promise = std::make_shared<std::promise<SendResult>>();
    sends_.send_then_wait(request, timeout, [promise](const SendResult& result) { promise->set_value(result); });
    return promise->get_future();
  }
  MessageId last() {
    const auto rows = repository_.list({}, 0, 100);
    return rows.empty() ? MessageId() : rows.back().id;
  }
  void confirm(const std::string& user, MessageId id) {
    repository_.confirm(ServiceName("hr"), {TargetKind::kUser, user}, id);
    sends_.confirmed(TargetKind::kUser, user, id);
  }
  static bool ready(const std::future<SendResult>& result) {
    return result.wait_for(milliseconds(0)) == std::future_status::ready;
  }

  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_ = one_loop(clock_);
  NoDelegate delegate_;
  hub::Hub hub_{hub_options(), loops_, ids_, metrics_, delegate_};
  Publisher publisher_{{}, hub_, ids_, metrics_, ServiceName("hr")};
  Trace trace_;
  SendPath path_{path_options(), hub_, ids_, metrics_, repository_, publisher_, trace_};
  DeliveryStates states_{ServiceName("hr"), hub_, nullptr};
  ReadFailureLog failures_{ServiceName("hr"), clock_};
  ConfirmedSends sends_{ServiceName("hr"), path_, repository_, trace_, states_, failures_, clock_};
};

TEST_F(ConfirmedSendsTest, AnswersWhenTheLastRecipientHasConfirmed) {
  std::future<SendResult> result = start(request({"1", "2"}));
  const MessageId id = last();
  confirm("1", id);
  EXPECT_EQ(sends_.size(), 1U);
  EXPECT_FALSE(ready(result));
  confirm("2", id);
  const SendResult sent = result.get();
  EXPECT_EQ(sent.id, id.value());
  ASSERT_THAT(sent.recipients, SizeIs(2));
  EXPECT_EQ(sent.recipients[0].state, "confirmed");
  EXPECT_EQ(sent.recipients[1].state, "confirmed");
  EXPECT_TRUE(eventually([&] { return sends_.size() == 0; }));
}

TEST_F(ConfirmedSendsTest, AnswersAtTheTimeoutWithTheDeliveryStates) {
  std::future<SendResult> result = start(request({"1", "2"}), milliseconds(500));
  confirm("1", last());
  ASSERT_TRUE(clock_.advance_until(milliseconds(100), [&] { return ready(result); }));
  const SendResult sent = result.get();
  EXPECT_EQ(sent.recipients[0].state, "confirmed");
  EXPECT_EQ(sent.recipients[1].state, "offline");
}

TEST_F(ConfirmedSendsTest, WaitsNoLongerThanTheMessageLives) {
  SendRequest brief = request({"1"});
  brief.ttl = milliseconds(200);
  std::future<SendResult> result = start(brief);
  ASSERT_TRUE(clock_.advance_until(milliseconds(100), [&] { return ready(result); }));
  EXPECT_EQ(result.get().recipients[0].state, "expired");
}

TEST_F(ConfirmedSendsTest, AnswersARepeatedRequestWhoseMessageIsConfirmedAtOnce) {
  SendRequest keyed = request({"1"});
  keyed.key = "key";
  const MessageId id(path_.send(keyed).id);
  std::future<SendResult> waits = start(keyed);
  confirm("1", id);
  EXPECT_EQ(waits.get().recipients[0].state, "confirmed");
  const SendResult known = start(keyed).get();
  EXPECT_TRUE(known.repeated);
  EXPECT_EQ(known.id, id.value());
  EXPECT_EQ(known.recipients[0].state, "confirmed");
}

TEST_F(ConfirmedSendsTest, EndsAllWaitsWhenItIsCancelled) {
  std::future<SendResult> one = start(request({"1"}));
  std::future<SendResult> two = start(request({"2"}));
  sends_.cancel();
  EXPECT_EQ(one.get().recipients[0].state, "offline");
  EXPECT_EQ(two.get().recipients[0].state, "offline");
  EXPECT_EQ(start(request({"3"})).get().recipients[0].state, "offline") << "a later one does not wait";
}

TEST_F(ConfirmedSendsTest, ThrowsTheRefusalOfARequestAndWaitsForNothing) {
  SendRequest invalid = request({"1"});
  invalid.event = "two\nlines";
  EXPECT_THROW(start(invalid), Error);
  EXPECT_EQ(sends_.size(), 0U);
  EXPECT_EQ(repository_.size(), 0U);
}

}  // namespace
}  // namespace sse::delivery
