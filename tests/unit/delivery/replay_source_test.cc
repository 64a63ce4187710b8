#include "delivery/replay_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "store/memory/memory_repository.h"
#include "store/repository_abilities.h"
#include "unit/store/forwarding_repository.h"

namespace sse::delivery {
namespace {

using event::TargetKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ServiceName kService("hr");

// A store whose reads fail, or return only a part.
class FaultyReads : public testing::ForwardingRepository {
 public:
  using ForwardingRepository::ForwardingRepository;
  std::vector<store::PendingMessage> pending(const ServiceName& service, std::span<const store::Recipient> recipients,
                                             MessageId after, std::size_t limit, ByteCount max_bytes,
                                             WallTime now) override {
    if (fails) throw Error(ErrorCode::kIo, "cannot read");
    std::vector<store::PendingMessage> found = real().pending(service, recipients, after, limit, max_bytes, now);
    for (store::PendingMessage& message : found) message.damaged = damages == message.id;
    if (partial) throw store::PartialRead("a node does not reply", std::move(found));
    return found;
  }

  bool fails = false;
  bool partial = false;
  MessageId damages;
};

// One that other nodes use, too.
class SharedReads final : public FaultyReads, public store::SharedStore {
 public:
  using FaultyReads::FaultyReads;
  store::MessageRepository& local() override { return *this; }
  void report_settled(const ServiceName&, Settled) override {}
  bool reports_settled() const override { return false; }
};

class ReplaySourceTest : public ::testing::Test {
 protected:
  MessageId add(const std::string& data, bool listening = false, const std::string& event = "news") {
    const WallTime now = clock_.wall_now();
    return repository_.add(
        {kService, {TargetKind::kUser, {"1"}, listening}, event, data, now, now + std::chrono::hours(1)});
  }
  hub::ReplayRequest request(MessageId after = {}) {
    hub::ReplayRequest request;
    request.recipients = {{TargetKind::kUser, "1"}};
    request.after = after;
    return request;
  }
  ReplaySource::Page page(const hub::ReplayRequest& request) {
    std::promise<ReplaySource::Page> delivered;
    deliver_ = [&](ReplaySource::Page page) { delivered.set_value(std::move(page)); };
    EXPECT_TRUE(source_.request(request));
    return delivered.get_future().get();
  }
  static std::vector<std::string> texts(const ReplaySource::Page& page) {
    std::vector<std::string> all;
    for (const hub::ReplayFrame& frame : page.frames) all.emplace_back(frame.frame->bytes());
    return all;
  }
  double replayed() { return metrics_.snapshot()["sse_replayed_total{service=\"hr\"}"]; }

  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  FaultyReads store_{repository_};
  ReadFailureLog failures_{kService, clock_};
  std::function<void(ReplaySource::Page)> deliver_;
  ReplaySource source_{
      kService, store_,    metrics_,
      clock_,   failures_, [this](const hub::ReplayRequest&, ReplaySource::Page page) {
                         deliver_(std::move(page)); }};
};

TEST_F(ReplaySourceTest, ReadsThePendingMessagesInOrder) {
  const MessageId first = add("one");
  const MessageId second = add("two");
  const ReplaySource::Page all = page(request());
  EXPECT_THAT(texts(all), ElementsAre(HasSubstr("id:" + first.str()), HasSubstr("data:two")));
  EXPECT_EQ(all.through, second);
  EXPECT_TRUE(all.last);
  EXPECT_FALSE(all.failed);
  EXPECT_EQ(replayed(), 2);

  const ReplaySource::Page rest = page(request(first));
  EXPECT_THAT(texts(rest), ElementsAre(HasSubstr("data:two")));
}

TEST_F(ReplaySourceTest, ReadsNothingFromAnEmptyStoreUnlessOtherNodesShareIt) {
  EXPECT_FALSE(source_.request(request()));
  SharedReads shared(repository_);
  std::promise<ReplaySource::Page> delivered;
  ReplaySource source(
      kService, shared, metrics_, clock_, failures_,
      [&](const hub::ReplayRequest&, ReplaySource::Page page) { delivered.set_value(std::move(page)); });
  ASSERT_TRUE(source.request(request()));
  const ReplaySource::Page empty = delivered.get_future().get();
  EXPECT_THAT(empty.frames, IsEmpty());
  EXPECT_TRUE(empty.last);
}

TEST_F(ReplaySourceTest, ReadsManyMessagesInPagesThatTheirBytesLimit) {
  for (int i = 0; i < 300; ++i) add(std::to_string(i));
  const ReplaySource::Page first = page(request());
  EXPECT_THAT(first.frames, SizeIs(256));
  EXPECT_FALSE(first.last);
  const ReplaySource::Page second = page(request(first.through));
  EXPECT_THAT(second.frames, SizeIs(44));
  EXPECT_TRUE(second.last);

  const MessageId large = add(std::string(300'000, 'x'));
  add("behind");
  const ReplaySource::Page third = page(request(second.through));
  EXPECT_EQ(third.through, large);
  EXPECT_FALSE(third.last);
}

TEST_F(ReplaySourceTest, ReadsOnlyMessagesForListenersOfTheEvents) {
  add("for all");
  add("for listeners", true);
  const MessageId last = add("of another event", true, "weather");
  hub::ReplayRequest listeners = request();
  listeners.only_events = {"news"};
  const ReplaySource::Page some = page(listeners);
  EXPECT_THAT(texts(some), ElementsAre(HasSubstr("data:for listeners")));
  EXPECT_TRUE(some.frames.front().listening);
  EXPECT_EQ(some.through, last) << "the messages left out are read, too";
}

TEST_F(ReplaySourceTest, LeavesOutADamagedMessageAndContinuesBehindIt) {
  store_.damages = add("damaged");
  const MessageId whole = add("whole");
  const ReplaySource::Page some = page(request());
  EXPECT_THAT(texts(some), ElementsAre(HasSubstr("data:whole")));
  EXPECT_EQ(some.through, whole);
  EXPECT_FALSE(some.failed);
}

TEST_F(ReplaySourceTest, ReportsAReadThatFailed) {
  const MessageId first = add("one");
  store_.fails = true;
  const ReplaySource::Page none = page(request(first));
  EXPECT_THAT(none.frames, IsEmpty());
  EXPECT_TRUE(none.failed);
  EXPECT_EQ(none.through, first);
}

TEST_F(ReplaySourceTest, DeliversWhatAPartialReadFoundAndReportsIt) {
  const MessageId first = add("one");
  store_.partial = true;
  const ReplaySource::Page some = page(request());
  EXPECT_THAT(texts(some), ElementsAre(HasSubstr("data:one")));
  EXPECT_EQ(some.through, first);
  EXPECT_TRUE(some.failed);
}

TEST_F(ReplaySourceTest, AcceptsNoRequestAfterItHasStopped) {
  add("one");
  source_.stop();
  EXPECT_FALSE(source_.request(request()));
}

}  // namespace
}  // namespace sse::delivery
