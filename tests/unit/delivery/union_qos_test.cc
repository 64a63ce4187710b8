// Messages to users and tokens at once: a stream that is both gets each once, and confirms it for both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "base/error.h"
#include "unit/delivery/sender_fixture.h"
#include "unit/store/forwarding_repository.h"

namespace sse::delivery {
namespace {

using event::TargetKind;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Page;
using testing::PageOptions;
using ::testing::SizeIs;

// A repository of an application's own that knows one target a message.
class OneKindRepository final : public testing::ForwardingRepository {
 public:
  using ForwardingRepository::ForwardingRepository;
  bool stores_unions() const override { return false; }
};

class UnionQosTest : public testing::SenderTest {
 protected:
  static SendRequest to_ann_and_token(const std::string& data) {
    SendRequest request{{TargetKind::kUser, {"ann"}, false}, "news", data, true, milliseconds(0)};
    request.also = {{TargetKind::kToken, {"t"}, false}};
    return request;
  }
  SendResult send(const std::string& data) { return sender_->send(to_ann_and_token(data)); }
  Page open(PageOptions options) {
    options.query = "clientId=tab";
    return testing::open_page(sender_->hub(), options);
  }
  Page open_both(std::uint64_t last_event = 0) {
    return open({.user = "ann",
                 .token = "t",
                 .confirms = true,
                 .last_event = last_event,
                 .last_event_id = last_event == 0 ? "" : std::to_string(last_event)});
  }
  std::optional<std::size_t> ack(const Page& page, const std::string& user, std::uint64_t id) {
    return sender_->hub().acknowledge(page.id, {UserId(user)}, {MessageId(id)});
  }
  // How many of the message's recipients have it pending.
  std::size_t pending(std::uint64_t id) { return repository_.find(MessageId(id)).size(); }
  bool becomes_pending(std::uint64_t id, std::size_t recipients) {
    return eventually([&] { return pending(id) == recipients; });
  }
};

TEST_F(UnionQosTest, ReachesAStreamThatIsBothOnceAndIsConfirmedForBoth) {
  start();
  Page both = open_both();
  const SendResult sent = send("one");
  EXPECT_EQ(sent.pending, 2U);
  EXPECT_EQ(sent.delivered, 1U);
  ASSERT_THAT(sent.recipients, SizeIs(2));
  EXPECT_EQ(sent.recipients[1].kind, TargetKind::kToken);
  send("two");
  EXPECT_THAT(both.data_until("two"), ElementsAre("one", "two"));
  EXPECT_EQ(ack(both, "ann", sent.id), 1U) << "one message";
  EXPECT_TRUE(becomes_pending(sent.id, 0));
  EXPECT_EQ(ack(both, "ann", sent.id), 0U);
}

TEST_F(UnionQosTest, IsConfirmedForBothByTcp) {
  start();
  Page both = open({.user = "ann", .token = "t"});
  const std::uint64_t id = send("one").id;
  EXPECT_THAT(both.data_until("one"), ElementsAre("one"));
  EXPECT_TRUE(becomes_pending(id, 0));
}

TEST_F(UnionQosTest, IsConfirmedByEachStreamForWhatItIs) {
  start();
  Page user = open({.user = "ann", .confirms = true});
  Page token = open({.user = "bob", .token = "t", .confirms = true});
  const SendResult sent = send("one");
  EXPECT_EQ(sent.delivered, 2U);
  EXPECT_THAT(user.data_until("one"), ElementsAre("one"));
  EXPECT_THAT(token.data_until("one"), ElementsAre("one"));
  EXPECT_EQ(ack(token, "bob", sent.id), 1U);
  ASSERT_TRUE(becomes_pending(sent.id, 1));
  EXPECT_EQ(repository_.find(MessageId(sent.id)).front().recipient.kind, TargetKind::kUser);
  EXPECT_EQ(ack(user, "ann", sent.id), 1U);
  EXPECT_TRUE(becomes_pending(sent.id, 0));
}

TEST_F(UnionQosTest, WaitsForAStreamThatIsBothAndReachesItOnce) {
  start();
  const std::uint64_t first = send("one").id;
  const std::uint64_t second = send("two").id;
  EXPECT_EQ(pending(first), 2U);
  Page both = open_both();
  EXPECT_THAT(both.data_until("two"), ElementsAre("one", "two"));
  EXPECT_EQ(ack(both, "ann", first), 1U);
  EXPECT_EQ(ack(both, "ann", second), 1U);
  EXPECT_TRUE(becomes_pending(first, 0));
  EXPECT_TRUE(becomes_pending(second, 0));
}

TEST_F(UnionQosTest, IsConfirmedForBothAfterTheStreamHasEndedAndByALastEventId) {
  start();
  Page both = open_both();
  const std::uint64_t first = send("one").id;
  const std::uint64_t second = send("two").id;
  const std::uint64_t third = send("three").id;
  both.events_until("three");
  close(both);
  EXPECT_EQ(ack(both, "ann", first), 1U);
  EXPECT_TRUE(becomes_pending(first, 0));
  Page again = open_both(second);
  EXPECT_THAT(again.data_until("three"), ElementsAre("three"));
  EXPECT_TRUE(becomes_pending(second, 0));
  EXPECT_EQ(pending(third), 2U);
}

TEST_F(UnionQosTest, IsSentAgainOnceUntilItIsConfirmedForBoth) {
  options_.hub.ack_timeout = milliseconds(200);
  start();
  Page both = open_both();
  const std::uint64_t id = send("one").id;
  both.events_until("one");
  ASSERT_TRUE(eventually([&] { return metric("sse_resent_total") == 1; }));
  sender_->send({{TargetKind::kUser, {"ann"}, false}, "news", "end", false, milliseconds(0)});
  EXPECT_THAT(both.data_until("end"), ElementsAre("one", "one", "end"));
  EXPECT_EQ(ack(both, "ann", id), 1U);
  EXPECT_TRUE(becomes_pending(id, 0));
}

TEST_F(UnionQosTest, IsResumedOnceFromTheHistoryAndConfirmedForBoth) {
  options_.history.events = 100;
  start();
  Page both = open_both();
  const std::uint64_t first = send("one").id;
  both.events_until("one");
  EXPECT_EQ(ack(both, "ann", first), 1U);
  close(both);
  const std::uint64_t second = send("two").id;
  Page token = open(
      {.user = "bob", .token = "t", .confirms = true, .last_event = first, .last_event_id = std::to_string(first)});
  EXPECT_THAT(token.data_until("two"), ElementsAre("two"));
  EXPECT_EQ(ack(token, "bob", second), 1U);
  ASSERT_TRUE(becomes_pending(second, 1));
  EXPECT_EQ(repository_.find(MessageId(second)).front().recipient.kind, TargetKind::kUser);
  const std::uint64_t third = send("three").id;
  Page again = open_both(first);
  EXPECT_THAT(again.data_until("three"), ElementsAre("two", "three"));
  EXPECT_EQ(ack(again, "ann", third), 1U);
  EXPECT_TRUE(becomes_pending(third, 0));
}

// As when another node did not answer: it may have got the message, or not.
TEST_F(UnionQosTest, IsPublishedAgainOnlyToStreamsThatHaveMissedIt) {
  start();
  Page both = open_both();
  store::NewMessage message{ServiceName("hr"), {TargetKind::kUser, {"bob", "ann"}, false}, "news", "missed",
                            clock_.wall_now(), clock_.wall_now() + std::chrono::hours(1)};
  message.also = {{TargetKind::kToken, {"t"}, false}};
  const MessageId missed = repository_.add(message);
  const std::uint64_t had = send("had").id;
  both.events_until("had");
  std::vector<store::PendingMessage> rows = repository_.find(missed);
  ASSERT_THAT(rows, SizeIs(3));
  for (const store::PendingMessage& row : repository_.find(MessageId(had))) rows.push_back(row);
  EXPECT_EQ(sender_->send_requeued(rows), 1U);
  EXPECT_EQ(sender_->send_requeued(rows), 0U);
  sender_->send({{TargetKind::kUser, {"ann"}, false}, "news", "end", false, milliseconds(0)});
  EXPECT_THAT(both.data_until("end"), ElementsAre("had", "missed", "end"));
  EXPECT_EQ(ack(both, "ann", missed.value()), 1U);
  ASSERT_TRUE(becomes_pending(missed.value(), 1));
  EXPECT_EQ(repository_.find(missed).front().recipient.name, "bob");
}

TEST_F(UnionQosTest, IsAwaitedForEachRecipient) {
  start();
  SendRequest request = to_ann_and_token("one");
  request.key = "once";
  auto waiting = std::async(std::launch::async, [&] { return sender_->send_and_wait(request, std::chrono::hours(1)); });
  ASSERT_TRUE(eventually([&] { return repository_.size() == 2; }));
  Page both = open_both();
  both.events_until("one");
  const std::uint64_t id = repository_.list({}, 0, 1).front().id.value();
  EXPECT_EQ(ack(both, "ann", id), 1U);
  ASSERT_TRUE(eventually([&] { return waiting.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  const SendResult sent = waiting.get();
  ASSERT_THAT(sent.recipients, SizeIs(2));
  for (const SendResult::Recipient& recipient : sent.recipients) EXPECT_EQ(recipient.state, "confirmed");
  const SendResult repeat = sender_->send_and_wait(request, milliseconds(0));
  EXPECT_TRUE(repeat.repeated);
  ASSERT_THAT(repeat.recipients, SizeIs(2));
  EXPECT_EQ(repeat.recipients[1].name, "t");
}

TEST_F(UnionQosTest, IsRefusedWhereTheRepositoryStoresOneKind) {
  OneKindRepository one_kind(repository_);
  start(one_kind);
  try {
    send("one");
    FAIL() << "it was sent";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("a request each"));
  }
  EXPECT_EQ(repository_.size(), 0U);
}

}  // namespace
}  // namespace sse::delivery
