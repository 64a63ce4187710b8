#include "net/connection_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sse::net {
namespace {

using ::testing::HasSubstr;

class ConnectionLimitsTest : public ::testing::Test {
 protected:
  ConnectionLimits& limits() {
    if (!limits_) {
      options_.name = "test";
      metrics_.emplace(registry_, options_);
      limits_.emplace(options_, *metrics_, [this] { return others_; });
    }
    return *limits_;
  }
  ConnectionPlace open(const std::string& address) {
    ConnectionPlace place = limits().admit(address);
    limits().opened(place);
    return place;
  }

  FrontOptions options_;
  observe::Registry registry_;
  std::optional<FrontMetrics> metrics_;
  std::optional<ConnectionLimits> limits_;
  std::size_t others_ = 0;
};

TEST_F(ConnectionLimitsTest, AdmitsEveryoneWithoutLimits) {
  std::vector<ConnectionPlace> places;
  for (int i = 0; i < 1000; ++i) {
    places.push_back(open("192.0.2.1"));
    EXPECT_EQ(places.back().refusal, nullptr);
  }
  EXPECT_EQ(limits().open(), 1000U);
}

TEST_F(ConnectionLimitsTest, CountsConnectionsThatLeftTheFront) {
  options_.max_connections = 3;
  options_.max_connections_option = "--most";
  others_ = 2;
  ConnectionPlace last = open("192.0.2.1");
  EXPECT_EQ(last.refusal, nullptr);
  const ConnectionPlace refused = limits().admit("192.0.2.1");
  ASSERT_NE(refused.refusal, nullptr);
  EXPECT_EQ(refused.refusal->status, 503);
  EXPECT_THAT(refused.refusal->sentence, HasSubstr("--most"));
  EXPECT_EQ(metrics_->refused_full.value(), 1U);
  limits().closed(last);
  EXPECT_EQ(limits().admit("192.0.2.1").refusal, nullptr);
}

TEST_F(ConnectionLimitsTest, CountsAConnectionOnceWhileItLeavesTheFront) {
  options_.max_connections = 2;
  ConnectionPlace place = open("192.0.2.1");
  Counted leaving = std::move(place.counted);
  limits().closed(place);
  EXPECT_EQ(limits().open(), 1U);
  // Its new owner counts it, too, for a moment.
  others_ = 1;
  leaving.reset();
  EXPECT_EQ(limits().open(), 0U);
  const ConnectionPlace another = open("192.0.2.1");
  EXPECT_EQ(another.refusal, nullptr);
  EXPECT_NE(limits().admit("192.0.2.1").refusal, nullptr);
}

TEST_F(ConnectionLimitsTest, DoesNotCountRefusedConnectionsAgainstTheLimit) {
  options_.max_connections = 2;
  options_.max_per_address = 1;
  const ConnectionPlace first = open("192.0.2.1");
  std::vector<ConnectionPlace> refused;
  while (limits().can_hold_refused()) {
    refused.push_back(open("192.0.2.1"));
    ASSERT_NE(refused.back().refusal, nullptr);
    EXPECT_EQ(refused.back().refusal->status, 429);
  }
  EXPECT_EQ(refused.size(), ConnectionLimits::kMaxRefusedOpen);
  EXPECT_EQ(limits().open(), 1 + refused.size());
  const ConnectionPlace second = open("192.0.2.2");
  EXPECT_EQ(second.refusal, nullptr);
  limits().closed(refused.back());
  EXPECT_TRUE(limits().can_hold_refused());
}

TEST_F(ConnectionLimitsTest, GivesAnAddressItsPlaceBackWithTheTicket) {
  options_.max_per_address = 1;
  ConnectionPlace place = open("192.0.2.1");
  EXPECT_NE(limits().admit("192.0.2.1").refusal, nullptr);
  EXPECT_EQ(limits().admit("192.0.2.2").refusal, nullptr);
  place.ticket.reset();
  EXPECT_EQ(limits().admit("192.0.2.1").refusal, nullptr);
}

TEST_F(ConnectionLimitsTest, CountsTheClientsOfAProxyInsteadOfTheProxy) {
  options_.max_per_address = 1;
  options_.is_proxy = [](const std::string& peer) { return peer == "192.0.2.1"; };
  ConnectionPlace first = open("192.0.2.1");
  ConnectionPlace second = open("192.0.2.1");
  EXPECT_TRUE(first.from_proxy && second.from_proxy);
  EXPECT_TRUE(limits().admit_forwarded("203.0.113.7", first));
  EXPECT_FALSE(limits().admit_forwarded("203.0.113.7", second));
  EXPECT_EQ(limits().too_many_of_address().status, 429);
  EXPECT_EQ(metrics_->refused_address.value(), 1U);
  // The next request on the first connection releases the ticket of the one before.
  EXPECT_TRUE(limits().admit_forwarded("203.0.113.8", first));
  EXPECT_TRUE(limits().admit_forwarded("203.0.113.7", second));
}

TEST_F(ConnectionLimitsTest, CountsAConnectionForTheClientThatItsProxyNames) {
  options_.max_per_address = 1;
  options_.is_proxy = [](const std::string& peer) { return peer == "192.0.2.1" || peer == "192.0.2.2"; };
  ConnectionPlace first = open("192.0.2.1");
  ConnectionPlace second = open("192.0.2.1");
  EXPECT_TRUE(limits().readmit("203.0.113.7", first));
  EXPECT_FALSE(first.from_proxy);
  EXPECT_EQ(first.refusal, nullptr);
  EXPECT_TRUE(limits().readmit("203.0.113.7", second));
  ASSERT_NE(second.refusal, nullptr);
  EXPECT_EQ(second.refusal->status, 429);
  limits().closed(second);
  // Another proxy in between: each request counts for the client that it forwards.
  ConnectionPlace third = open("192.0.2.1");
  EXPECT_TRUE(limits().readmit("192.0.2.2", third));
  EXPECT_TRUE(third.from_proxy);
  // Refused ones are held only as long as there is room for them.
  std::vector<ConnectionPlace> refused;
  while (limits().can_hold_refused()) {
    refused.push_back(open("192.0.2.1"));
    ASSERT_TRUE(limits().readmit("203.0.113.7", refused.back()));
  }
  ConnectionPlace last = open("192.0.2.1");
  EXPECT_FALSE(limits().readmit("203.0.113.7", last));
  for (ConnectionPlace& place : refused) limits().closed(place);
  EXPECT_TRUE(limits().can_hold_refused());
}

}  // namespace
}  // namespace sse::net
