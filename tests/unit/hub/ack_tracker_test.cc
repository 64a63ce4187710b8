#include "hub/ack_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "unit/hub/connections.h"

namespace sse::hub {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SteadyTime kStart{std::chrono::hours(1)};

class AckTrackerTest : public ::testing::Test {
 protected:
  // A stream whose client acknowledges by itself.
  Connection& open(const std::string& user, const std::string& client, const std::string& tenant = "") {
    open_.push_back(connections_.make());
    Connection& connection = *open_.back();
    join(indexes_, connection, user, client, tenant);
    clients_.joined(connection);
    connection.confirms = true;
    return connection;
  }
  void send(Connection& connection, const std::vector<std::uint64_t>& messages) {
    for (const std::uint64_t message : messages)
      acks_.sent(connection, *event::Frame::make("data:\n\n", MessageId(message), event::TargetKind::kUser), now_);
  }
  void send_event(Connection& connection, std::uint64_t id) {
    acks_.sent(connection, *event::Frame::make("id:" + std::to_string(id) + "\ndata:\n\n"), now_);
  }
  // The stream ends; returns the messages in flight on it.
  std::size_t end(Connection& connection) {
    const std::size_t messages = acks_.ended(connection, now_);
    clients_.leaving(connection);
    indexes_.leave_all(connection);
    std::erase_if(open_, [&](const auto& one) { return one.get() == &connection; });
    return messages;
  }
  static std::vector<std::string> texts(const std::vector<Confirmed>& confirmed) {
    std::vector<std::string> all;
    for (const Confirmed& one : confirmed)
      all.push_back(std::to_string(one.message.value()) + " of " + one.name + " on " + one.connection.str());
    return all;
  }
  static std::vector<MessageId> ids(const std::vector<std::uint64_t>& numbers) {
    std::vector<MessageId> messages;
    for (const std::uint64_t number : numbers) messages.emplace_back(number);
    return messages;
  }
  std::vector<std::uint64_t> overdue() {
    std::vector<std::uint64_t> messages;
    for (const Connection* late : acks_.streams_overdue(now_, [](const Connection&) { return true; })) {
      for (const MessageId message : acks_.overdue(*late, now_)) messages.push_back(message.value());
    }
    return messages;
  }
  std::size_t in_flight(const Connection& connection) const {
    const InFlight* log = acks_.in_flight(connection);
    return log == nullptr ? 0 : log->size();
  }

  net::EventLoop loop_{"test"};
  Connections connections_{loop_};
  Indexes indexes_;
  ClientLimit clients_{indexes_, 0, false};
  std::vector<std::unique_ptr<Connection>> open_;
  SteadyTime now_ = kStart;
  AckTracker::Options options_{seconds(8), true};
  AckTracker acks_{options_, [this](ConnectionId id) {
                     for (const auto& one : open_) {
                       if (one->id == id) return one.get();
                     }
                     return static_cast<Connection*>(nullptr);
                   }};
};

TEST_F(AckTrackerTest, ConfirmsWhatIsInFlightOnceAndNothingElse) {
  Connection& stream = open("u", "c");
  EXPECT_FALSE(stream.in_flight);
  send(stream, {5, 6});
  EXPECT_TRUE(stream.in_flight);
  EXPECT_EQ(in_flight(stream), 2U);
  EXPECT_THAT(texts(acks_.confirm(stream, ids({5, 9}))), ElementsAre("5 of u on 1"));
  EXPECT_THAT(texts(acks_.confirm(stream, ids({5}))), IsEmpty());
  EXPECT_EQ(in_flight(stream), 1U);
}

TEST_F(AckTrackerTest, TracksNoEventsBeforeTheFirstMessage) {
  Connection& stream = open("u", "c");
  send_event(stream, 4);
  EXPECT_FALSE(stream.in_flight);
  EXPECT_EQ(acks_.in_flight(stream), nullptr);
}

TEST_F(AckTrackerTest, ConfirmsMessagesOfAStreamThatHasEnded) {
  Connection& stream = open("u", "c");
  send(stream, {5});
  EXPECT_EQ(end(stream), 1U);
  EXPECT_FALSE(acks_.confirm_closed({"stranger"}, ConnectionId(1), ids({5})));
  EXPECT_THAT(texts(acks_.confirm_closed({"u"}, ConnectionId(1), ids({5})).value()), ElementsAre("5 of u on 1"));
}

TEST_F(AckTrackerTest, ConfirmsOnTheNewStreamWhatTheEarlierOneOfTheClientGot) {
  Connection& first = open("u", "c");
  send(first, {5});
  end(first);
  Connection& other = open("u", "d");
  Connection& second = open("u", "c");
  EXPECT_THAT(texts(acks_.confirm(other, ids({5}))), IsEmpty()) << "another client";
  EXPECT_THAT(texts(acks_.confirm(second, ids({5}))), ElementsAre("5 of u on 1"));
}

TEST_F(AckTrackerTest, AnEventIdConfirmsEverythingBeforeItOnEarlierStreamsOfTheClient) {
  Connection& gone = open("u", "c");
  send(gone, {4, 5});
  end(gone);
  Connection& half_open = open("u", "c");  // the server has not seen its end yet
  send(half_open, {5});
  send_event(half_open, 6);
  send(half_open, {7});
  Connection& other = open("u", "d");
  send(other, {5});
  Connection& newest = open("u", "c");
  EXPECT_THAT(texts(acks_.confirm_earlier(newest, "", 5, clients_)), IsEmpty());
  EXPECT_THAT(texts(acks_.confirm_earlier(newest, "c", 5, clients_)),
              ElementsAre("4 of u on 1", "5 of u on 1", "5 of u on 2"));
  EXPECT_EQ(in_flight(half_open), 1U);
  EXPECT_EQ(in_flight(other), 1U);
}

TEST_F(AckTrackerTest, NamesMessagesThatAreOverdueLessAndLessOften) {
  Connection& stream = open("u", "c");
  send(stream, {5});
  EXPECT_THAT(overdue(), IsEmpty());
  now_ += seconds(8) - milliseconds(1);
  EXPECT_THAT(overdue(), IsEmpty());
  now_ += seconds(1);
  EXPECT_THAT(overdue(), ElementsAre(5));
  send(stream, {5});  // again
  now_ += seconds(15);
  EXPECT_THAT(overdue(), IsEmpty());
  now_ += seconds(1);
  EXPECT_THAT(overdue(), ElementsAre(5));
}

TEST_F(AckTrackerTest, LeavesStreamsThatAreNotIdleForLater) {
  Connection& stream = open("u", "c");
  send(stream, {5});
  now_ += seconds(9);
  EXPECT_THAT(acks_.streams_overdue(now_, [](const Connection&) { return false; }), IsEmpty());
  now_ += seconds(1);
  EXPECT_THAT(overdue(), ElementsAre(5));
}

TEST_F(AckTrackerTest, ForgetsStreamsWithNothingInFlight) {
  Connection& stream = open("u", "c");
  send(stream, {5, 6});
  acks_.confirm(stream, ids({5}));
  acks_.forget(stream, MessageId(6));
  EXPECT_EQ(in_flight(stream), 0U);
  now_ += seconds(9);
  EXPECT_THAT(overdue(), IsEmpty());
  EXPECT_FALSE(stream.in_flight);
  EXPECT_EQ(end(stream), 0U);
  EXPECT_FALSE(acks_.confirm_closed({"u"}, ConnectionId(1), ids({5}))) << "nothing to confirm: not remembered";
}

TEST_F(AckTrackerTest, WithoutATimeoutNothingIsOverdue) {
  AckTracker patient({milliseconds(0), false}, [this](ConnectionId) { return open_.front().get(); });
  Connection& stream = open("u", "c");
  patient.sent(stream, *event::Frame::make("data:\n\n", MessageId(5), event::TargetKind::kUser), now_);
  EXPECT_THAT(patient.streams_overdue(now_ + std::chrono::hours(24), [](const Connection&) { return true; }),
              IsEmpty());
}

TEST_F(AckTrackerTest, ForgetsEndedStreamsAfterAWhile) {
  Connection& stream = open("u", "c");
  send(stream, {5});
  end(stream);
  now_ += minutes(6);
  overdue();
  EXPECT_FALSE(acks_.confirm_closed({"u"}, ConnectionId(1), ids({5})));
}

// Nothing but other nodes makes a stream read the store again.
TEST_F(AckTrackerTest, RemembersConfirmationsInAClusterOnly) {
  acks_.remember(ConnectionId(2), MessageId(9));
  acks_.remember(ConnectionId(1), MessageId(5));
  const auto recent = acks_.recent();
  ASSERT_THAT(recent, SizeIs(2));
  EXPECT_EQ(recent.front().message, MessageId(5));
  AckTracker alone({seconds(8), false}, [](ConnectionId) { return nullptr; });
  alone.remember(ConnectionId(1), MessageId(5));
  EXPECT_THAT(alone.recent(), IsEmpty());
}

}  // namespace
}  // namespace sse::hub
