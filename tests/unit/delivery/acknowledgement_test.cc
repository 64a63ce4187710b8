// Clients that confirm by themselves (ack=1): what confirms a message, and what happens until then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>

#include "unit/delivery/sender_fixture.h"

namespace sse::delivery {
namespace {

using event::Target;
using event::TargetKind;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Page;
using testing::ReceivedEvent;

struct Who {
  std::string user = "1";
  std::string client = "browser";
  std::uint64_t last_event = 0;
  std::vector<std::string> listeners{};
  std::string tenant{};
  bool confirms = true;
  bool marks = false;
  bool ends = false;
};

class AcknowledgementTest : public testing::SenderTest {
 protected:
  Page open(const Who& who) {
    return testing::open_page(sender_->hub(), {.user = who.user,
                                               .tenant = who.tenant,
                                               .listeners = who.listeners,
                                               .query = "clientId=" + who.client,
                                               .confirms = who.confirms,
                                               .marks = who.marks,
                                               .ends = who.ends,
                                               .last_event = who.last_event});
  }
  std::uint64_t send(const std::string& data, bool qos = true, bool listening = false) {
    return sender_->send({{TargetKind::kUser, {"1"}, listening}, "news", data, qos, milliseconds(0)}).id;
  }
  std::optional<std::size_t> ack(const Page& page, std::vector<std::uint64_t> ids, const std::string& user = "1",
                                 const std::string& tenant = "") {
    std::vector<MessageId> messages;
    for (const std::uint64_t id : ids) messages.emplace_back(id);
    return sender_->hub().acknowledge(page.id, {UserId(user), TenantId(tenant)}, messages);
  }
  // TCP has acknowledged all that the page has read, and the loops have looked at that often: what is pending then is
  // so on purpose.
  bool stays_pending(const Page& page, std::uint64_t count) {
    page.client.acknowledge();
    for (int i = 0; i < 5; ++i) {
      clock_.advance(milliseconds(100));
      settle();
    }
    return repository_.size() == count;
  }
  // Blocks; time goes on meanwhile. `pending`: the timeout comes when as many messages are left.
  SendResult send_and_wait(const SendRequest& request, milliseconds timeout,
                           std::optional<std::uint64_t> pending = std::nullopt) {
    auto result = std::async(std::launch::async, [&] { return sender_->send_and_wait(request, timeout); });
    const auto ready = [&] { return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    if (pending) {
      EXPECT_TRUE(eventually([&] { return metric("sse_confirmed_total") > 0 && repository_.size() == *pending; }));
      settle();
      clock_.advance(timeout);
    }
    EXPECT_TRUE(eventually(ready));
    return result.get();
  }
  std::vector<std::string> pending() {
    std::vector<std::string> all;
    const std::vector<store::Recipient> recipients{{TargetKind::kUser, "1"}};
    for (const auto& m : repository_.pending(ServiceName("hr"), recipients, {}, 100, mebibytes(1), clock_.wall_now()))
      all.push_back(m.data);
    return all;
  }
};

TEST_F(AcknowledgementTest, TellsTheClientThatItsConfirmationsAreWaitedFor) {
  start();
  EXPECT_NE(open({}).client.received().find("\",\"ack\":true}\n\n"), std::string::npos);
  EXPECT_EQ(open({.confirms = false}).client.received().find("\"ack\""), std::string::npos);
}

TEST_F(AcknowledgementTest, MarksMessagesForAClientThatAsksForIt) {
  start();
  Page page = open({.marks = true});
  EXPECT_NE(page.client.received().find("\",\"ack\":true,\"ackMarks\":true}\n\n"), std::string::npos);
  send("broadcast", false);
  const std::uint64_t id = send("message");
  EXPECT_THAT(page.data_until("message"), ElementsAre("broadcast", "", "message"));
  EXPECT_NE(page.client.received().find("event:sse-qos\ndata:\n\nid:" + std::to_string(id) + "\n"), std::string::npos);
  EXPECT_EQ(ack(page, {id}), 1U);
  close(page);
  // Who cannot confirm has no use for marks.
  Page other = open({.confirms = false, .marks = true});
  send("again");
  EXPECT_THAT(other.data_until("again"), ElementsAre("again"));
  EXPECT_EQ(other.client.received().find("ackMarks"), std::string::npos);
}

TEST_F(AcknowledgementTest, WaitsForTheClientWhateverItsTcpSays) {
  start();
  Page page = open({});
  const std::uint64_t id = send("a");
  page.events_until("a");
  EXPECT_TRUE(stays_pending(page, 1));
  EXPECT_EQ(sender_->hub().directory().describe(page.id)->in_flight, 1U);
  EXPECT_EQ(ack(page, {id}), 1U);
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
  EXPECT_EQ(sender_->hub().directory().describe(page.id)->in_flight, 0U);
  EXPECT_EQ(metric("sse_confirmed_total"), 1);
}

TEST_F(AcknowledgementTest, TakesNothingFromOthersNorTwiceNorWhatItNeverSent) {
  start();
  Page page = open({});
  Page other = open({.user = "2"});
  const std::uint64_t id = send("a");
  page.events_until("a");
  EXPECT_EQ(ack(page, {id}, "2"), std::nullopt);
  EXPECT_EQ(ack(page, {id}, ""), std::nullopt);
  EXPECT_EQ(ack(other, {id}, "2"), 0U);
  EXPECT_EQ(ack(page, {id + 1, id - 1, 1, 2, 3}), 0U);
  EXPECT_TRUE(stays_pending(page, 1));
  EXPECT_EQ(ack(page, {id, id}), 1U);
  EXPECT_EQ(ack(page, {id}), 0U);
  EXPECT_EQ(metric("sse_acks_ignored_total"), 8);
}

TEST_F(AcknowledgementTest, DeliversAgainOnReconnectInOrderWithTheSameIds) {
  start();
  Page page = open({});
  std::vector<std::uint64_t> sent;
  for (const char* data : {"a", "b", "c"}) sent.push_back(send(data));
  page.events_until("c");
  EXPECT_EQ(ack(page, {sent[1]}), 1U);
  close(page);
  sent.push_back(send("d"));
  Page again = open({});
  std::vector<std::string> ids;
  for (const ReceivedEvent& e : again.events_until("d")) ids.push_back(e.id);
  EXPECT_THAT(ids, ElementsAre(std::to_string(sent[0]), std::to_string(sent[2]), std::to_string(sent[3])));
}

TEST_F(AcknowledgementTest, ConfirmsWhatALastEventIdCovers) {
  start();
  Page page = open({});
  send("a");
  const std::uint64_t b = send("b");
  send("c");
  page.events_until("c");
  close(page);
  Page again = open({.last_event = b});
  EXPECT_THAT(again.data_until("c"), ElementsAre("c"));
  EXPECT_TRUE(eventually([&] { return repository_.size() == 1; }));
}

TEST_F(AcknowledgementTest, ConfirmsByTheIdOfAnEventWithoutQosToo) {
  start();
  Page page = open({});
  send("a");
  const std::uint64_t plain = send("plain", false);
  send("b");
  page.events_until("b");
  close(page);
  Page again = open({.last_event = plain});
  EXPECT_THAT(again.data_until("b"), ElementsAre("b"));
}

TEST_F(AcknowledgementTest, ConfirmsNoneThatWasNeverWrittenToThatClient) {
  start();
  send("for listeners", true, true);
  Page page = open({});
  const std::uint64_t a = send("a");
  page.events_until("a");
  close(page);
  // Its id is smaller than the last the client has seen; it has never had it.
  Page again = open({.last_event = a, .listeners = {"news"}});
  EXPECT_THAT(again.data_until("for listeners"), ElementsAre("for listeners"));
}

TEST_F(AcknowledgementTest, BelievesNoLastEventIdOfAnotherClient) {
  start();
  Page page = open({});
  const std::uint64_t a = send("a");
  page.events_until("a");
  close(page);
  Page other = open({.client = "phone", .last_event = a});
  EXPECT_THAT(other.data_until("a"), ElementsAre("a"));
  Page nameless = open({.client = "", .last_event = a});
  EXPECT_THAT(nameless.data_until("a"), ElementsAre("a"));
  EXPECT_TRUE(stays_pending(page, 1));
}

TEST_F(AcknowledgementTest, BelievesALastEventIdBeforeItKnowsThatTheOldStreamIsDead) {
  start();
  Page page = open({});
  const std::uint64_t a = send("a");
  page.events_until("a");
  Page again = open({.last_event = a});
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
}

TEST_F(AcknowledgementTest, TakesConfirmationsThatComeAfterTheStreamHasEnded) {
  start();
  Page page = open({});
  const std::uint64_t a = send("a");
  const std::uint64_t b = send("b");
  page.events_until("b");
  close(page);
  EXPECT_EQ(ack(page, {a}, "2"), std::nullopt);
  EXPECT_EQ(ack(page, {a}), 1U);
  // As does the client's next stream.
  Page again = open({});
  again.events_until("b");
  EXPECT_EQ(ack(again, {b}), 1U);
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
}

TEST_F(AcknowledgementTest, SendsAgainOnALiveStreamWhatIsNotConfirmedInTime) {
  options_.hub.ack_timeout = milliseconds(200);
  start();
  Page page = open({});
  const std::uint64_t a = send("a");
  const std::uint64_t b = send("b");
  page.events_until("b");
  EXPECT_EQ(ack(page, {a}), 1U);
  ASSERT_TRUE(eventually([&] { return metric("sse_resent_total") == 1; }));
  send("end", false);
  const std::vector<ReceivedEvent> got = page.events_until("end");
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[2], (ReceivedEvent{"news", "b", std::to_string(b)}));
  EXPECT_EQ(ack(page, {b}), 1U);
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
}

TEST_F(AcknowledgementTest, ConfirmsByTheNameOfAnEndedStreamThatHadNothingInFlightWhatAnEarlierOneHad) {
  start();
  Page first = open({.listeners = {"news"}});
  const std::uint64_t a = send("a", true, true);
  first.events_until("a");
  close(first);
  // It does not listen, so it gets nothing.
  Page second = open({});
  close(second);
  Page other = open({.client = "another"});
  close(other);
  EXPECT_EQ(ack(other, {a}), std::nullopt);
  EXPECT_EQ(ack(second, {a}), 1U);
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
}

TEST_F(AcknowledgementTest, CountsAttemptsAndThoseThatFailed) {
  start();
  {
    Page page = open({});
    const std::uint64_t a = send("a");
    send("b");
    page.events_until("b");
    EXPECT_EQ(ack(page, {a}), 1U);
    EXPECT_EQ(metric("sse_attempts_total"), 2);
    EXPECT_EQ(metric("sse_attempts_failed_total"), 0);
  }
  EXPECT_TRUE(eventually([&] { return metric("sse_attempts_failed_total") == 1; }));
}

TEST_F(AcknowledgementTest, SendsNothingAgainThatIsNoLongerPending) {
  options_.hub.ack_timeout = milliseconds(200);
  start();
  Page page = open({});
  const std::uint64_t a = send("a");
  send("b");
  page.events_until("b");
  repository_.erase(MessageId(a));
  ASSERT_TRUE(eventually([&] { return metric("sse_resent_total") == 1; }));
  send("end", false);
  EXPECT_THAT(page.data_until("end"), ElementsAre("a", "b", "b", "end"));
  EXPECT_TRUE(eventually([&] { return sender_->hub().directory().describe(page.id)->in_flight == 1; }));
}

TEST_F(AcknowledgementTest, EndsAStreamWhoseClientConfirmsNothingThatItListensTo) {
  options_.hub.ack_timeout = milliseconds(200);
  start();
  Page deaf = open({.listeners = {"news"}, .ends = true});
  send("a");
  ASSERT_TRUE(eventually([&] { return !sender_->hub().directory().describe(deaf.id); }));
  EXPECT_TRUE(deaf.client.receive_all(clock_));
  EXPECT_THAT(deaf.client.received(), ::testing::HasSubstr("event:sse-end\ndata:{\"reason\":\"unconfirmed\","));
  EXPECT_EQ(metrics_.snapshot()["sse_streams_closed_total{reason=\"unconfirmed\",service=\"hr\"}"], 1);
  EXPECT_EQ(metric("sse_resent_total"), 4) << "it was given the message five times";
  EXPECT_EQ(repository_.size(), 1U);
}

TEST_F(AcknowledgementTest, KeepsAStreamThatConfirmsSomethingOrDoesNotListen) {
  options_.hub.ack_timeout = milliseconds(200);
  start();
  Page listens_to_others = open({.client = "a", .listeners = {"weather"}});
  Page confirms_some = open({.user = "2", .client = "b", .listeners = {"news"}});
  const auto send_to_2 = [&](const std::string& data) {
    return sender_->send({{TargetKind::kUser, {"2"}, false}, "news", data, true, milliseconds(0)}).id;
  };
  send("a");
  send_to_2("never confirmed");
  const double most = 20;
  for (int i = 0; metric("sse_resent_total") < most; ++i) {
    const std::string data = "confirmed " + std::to_string(i);
    const std::uint64_t id = send_to_2(data);
    // While the stream is sent messages again, this one waits for its turn: a client can only confirm what it has.
    confirms_some.events_until(data);
    const double before = metric("sse_resent_total");
    EXPECT_EQ(ack(confirms_some, {id}, "2"), 1U);
    ASSERT_TRUE(eventually([&] { return metric("sse_resent_total") > before; }));
  }
  EXPECT_TRUE(sender_->hub().directory().describe(listens_to_others.id));
  EXPECT_TRUE(sender_->hub().directory().describe(confirms_some.id));
}

TEST_F(AcknowledgementTest, MissesNothingThatIsSentWhileItSendsAgain) {
  options_.hub.ack_timeout = milliseconds(100);
  start();
  Page page = open({});
  std::vector<std::string> sent;
  // Twice the timeout and more; every message must be there, the first copies in order.
  for (int i = 0; i < 400; ++i) {
    sent.push_back(std::to_string(i));
    send(sent.back());
    if (i % 20 != 19) continue;
    clock_.advance(milliseconds(20));
    settle();
  }
  send("end");
  std::vector<std::string> firsts;
  for (const std::string& data : page.data_until("end")) {
    if (std::ranges::find(firsts, data) == firsts.end()) firsts.push_back(data);
  }
  sent.emplace_back("end");
  EXPECT_EQ(firsts, sent);
  EXPECT_GT(metric("sse_resent_total"), 0);
  EXPECT_EQ(pending().size(), 100U) << "a page of what is pending";
}

TEST_F(AcknowledgementTest, HasOneOfATenantConfirmForAll) {
  start();
  Page one = open({.user = "1", .tenant = "t"});
  Page two = open({.user = "2", .tenant = "t"});
  const std::uint64_t id = sender_->send({{TargetKind::kTenant, {"t"}, false}, "news", "a", true, milliseconds(0)}).id;
  one.events_until("a");
  two.events_until("a");
  EXPECT_EQ(ack(one, {id}, "1", "t"), 1U);
  EXPECT_TRUE(eventually([&] { return repository_.size() == 0; }));
  EXPECT_EQ(ack(two, {id}, "2", "t"), 1U) << "it had it in flight, too";
}

TEST_F(AcknowledgementTest, TellsWhoHasConfirmedToThoseWhoWait) {
  start();
  Page page = open({.confirms = false});
  SendRequest request{{TargetKind::kUser, {"1", "2"}, false}, "news", "a", true, milliseconds(0)};
  const SendResult sent = send_and_wait(request, std::chrono::hours(1), 1);
  ASSERT_EQ(sent.recipients.size(), 2U);
  EXPECT_EQ(sent.recipients[0].state, "confirmed");
  EXPECT_EQ(sent.recipients[1].state, "offline");
  request.target = {TargetKind::kUser, {"1"}, false};
  EXPECT_EQ(send_and_wait(request, std::chrono::minutes(5)).recipients[0].state, "confirmed");
  Page slow = open({.user = "3"});
  request.target.names = {"3"};
  // Once its stream has read the store.
  EXPECT_TRUE(eventually([&] { return send_and_wait(request, milliseconds(10)).recipients[0].state == "in-flight"; }));
  request.target.listening = true;
  EXPECT_EQ(send_and_wait(request, milliseconds(10)).recipients[0].state, "not-listening");
  request.ttl = milliseconds(1);
  request.target.names = {"4"};
  const SteadyTime started = clock_.steady_now();
  EXPECT_EQ(send_and_wait(request, std::chrono::minutes(5)).recipients[0].state, "expired");
  EXPECT_LT(clock_.steady_now() - started, std::chrono::minutes(1)) << "waited for what no client can confirm any more";
}

std::size_t threads_here() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) ++n;
  return n;
}

TEST_F(AcknowledgementTest, AThousandWhoWaitHoldNoThreadAndAreToldEachForItself) {
  constexpr int kWaits = 1000;
  start();
  const std::size_t before = threads_here();
  std::atomic<int> confirmed{0};
  std::atomic<int> offline{0};
  for (int i = 0; i < kWaits; ++i) {
    const SendRequest request{{TargetKind::kUser, {i % 2 == 0 ? "1" : "2"}, false}, "news", "a", true, milliseconds(0)};
    sender_->send_then_wait(request, std::chrono::hours(1), [&](const SendResult& sent) {
      ++(sent.recipients.at(0).state == "confirmed" ? confirmed : offline);
    });
  }
  EXPECT_EQ(sender_->waiting(), static_cast<std::size_t>(kWaits));
  EXPECT_LT(threads_here(), before + 10);
  const Page page = open({.confirms = false});
  EXPECT_TRUE(eventually([&] {
    page.client.acknowledge();
    return confirmed == kWaits / 2;
  }));
  EXPECT_EQ(offline, 0);
  sender_->end_waits();
  EXPECT_TRUE(eventually([&] { return sender_->waiting() == 0; }));
  EXPECT_EQ(offline, kWaits / 2);
  EXPECT_EQ(confirmed, kWaits / 2);
}

TEST_F(AcknowledgementTest, RefusesToWaitForMoreRecipientsThanItHoldsInMemory) {
  start();
  const std::vector<std::string> names(500'001, "1");
  const SendRequest request{{TargetKind::kUser, names, false}, "news", "a", true, milliseconds(0)};
  EXPECT_THROW(sender_->send_then_wait(request, milliseconds(0), [](const SendResult&) {}), Error);
  EXPECT_EQ(sender_->sends(), 0U);
  EXPECT_EQ(sender_->waiting(), 0U);
}

TEST_F(AcknowledgementTest, SendsARepeatedRequestOnce) {
  start();
  Page page = open({});
  SendRequest request{{TargetKind::kUser, {"1"}, false}, "news", "a", true, milliseconds(0), "key"};
  const SendResult first = sender_->send(request);
  const SendResult second = sender_->send(request);
  EXPECT_EQ(second.id, first.id);
  EXPECT_TRUE(second.repeated);
  EXPECT_EQ(second.pending, 1U);
  send("end", false);
  EXPECT_THAT(page.data_until("end"), ElementsAre("a", "end"));
  ack(page, {first.id});
  EXPECT_EQ(send_and_wait(request, milliseconds(10)).recipients[0].state, "confirmed");
}

TEST_F(AcknowledgementTest, SendsOnceMoreOnDemand) {
  start();
  Page page = open({});
  const std::uint64_t id = send("a");
  EXPECT_EQ(sender_->retry(repository_.find(MessageId(id))), 1U);
  send("end", false);
  EXPECT_THAT(page.data_until("end"), ElementsAre("a", "a", "end"));
  std::vector<std::string> story;
  for (const Trace::Entry& entry : sender_->trace().of(MessageId(id))) story.emplace_back(step_name(entry.what));
  EXPECT_THAT(story, ElementsAre("accepted", "committed", "sent", "retried", "sent"));
}

}  // namespace
}  // namespace sse::delivery
