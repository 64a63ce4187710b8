#include "auth/tickets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "store/memory/memory_tickets.h"
#include "support/errors.h"

namespace sse::auth {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::refusal_of;

const ServiceName kHr("hr");

class TicketsTest : public ::testing::Test {
 protected:
  static User user(const std::string& id, const std::string& tenant = "") {
    User one{{UserId(id), TenantId(tenant), AccessToken("session-9")}, R"({"name":"Ann"})"};
    one.channels = {"team.*", "news"};
    return one;
  }
  double counted(const std::string& series) const {
    const auto all = metrics_.snapshot();
    const auto found = all.find(series);
    return found == all.end() ? 0 : found->second;
  }

  ManualClock clock_;
  observe::Registry metrics_;
  store::MemoryTickets store_{{3, kibibytes(64)}, clock_};
  Tickets tickets_{store_, 7, clock_, metrics_};
};

TEST_F(TicketsTest, NamesTheUserUntilItIsRedeemed) {
  const Ticket ticket = tickets_.create(kHr, user("ann", "acme"), kTicketLifetime);
  EXPECT_THAT(ticket.text, MatchesRegex("sset_7_[A-Za-z0-9_-]+"));
  EXPECT_EQ(ticket.expires, clock_.wall_now() + kTicketLifetime);
  for (int i = 0; i < 2; ++i) {
    const auto holder = tickets_.find(ticket.text);
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->service, kHr);
    EXPECT_EQ(holder->user.identity.user.str(), "ann");
    EXPECT_EQ(holder->user.identity.tenant.str(), "acme");
    EXPECT_EQ(holder->user.identity.token.str(), "session-9");
    EXPECT_EQ(holder->user.profile, R"({"name":"Ann"})");
    EXPECT_EQ(holder->user.channels, (std::vector<std::string>{"team.*", "news"}));
    EXPECT_FALSE(holder->user.expires);
  }
  EXPECT_TRUE(tickets_.redeem(ticket.text, kHr));
  EXPECT_FALSE(tickets_.redeem(ticket.text, kHr));
  EXPECT_FALSE(tickets_.find(ticket.text));
  EXPECT_EQ(counted(R"(sse_tickets_issued_total{service="hr"})"), 1);
  EXPECT_EQ(counted(R"(sse_tickets_redeemed_total{service="hr"})"), 1);
}

TEST_F(TicketsTest, CarriesTheEndOfTheUsersAuthentication) {
  User ends = user("ann");
  ends.expires = from_millis(1'900'000'000'123);
  const Ticket ticket = tickets_.create(kHr, ends, kTicketLifetime);
  EXPECT_EQ(tickets_.find(ticket.text)->user.expires, ends.expires);
}

TEST_F(TicketsTest, IsGoodForItsLifetimeOnly) {
  const Ticket ticket = tickets_.create(kHr, user("ann"), std::chrono::seconds(1));
  clock_.advance(std::chrono::milliseconds(999));
  EXPECT_TRUE(tickets_.find(ticket.text));
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(tickets_.find(ticket.text));
  EXPECT_FALSE(tickets_.redeem(ticket.text, kHr));
}

TEST_F(TicketsTest, AnyOtherTextOpensNothing) {
  const std::string good = tickets_.create(kHr, user("ann"), kTicketLifetime).text;
  std::set<std::string> others{"",
                               "sset_",
                               "sset_7",
                               "sset_7_",
                               "sset__" + good.substr(7),
                               good + "x",
                               good + "_",
                               good.substr(0, good.size() - 1),
                               "SSET" + good.substr(4),
                               " " + good,
                               "sset_6" + good.substr(6),
                               "sset_07" + good.substr(6),
                               "sset_99999999999" + good.substr(6),
                               "sset_-7" + good.substr(6)};
  for (std::size_t i = 7; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    others.insert(changed);
  }
  for (const std::string& text : others) {
    EXPECT_FALSE(tickets_.find(text)) << text;
    EXPECT_FALSE(tickets_.redeem(text, kHr)) << text;
  }
  EXPECT_TRUE(tickets_.redeem(good, kHr));
}

TEST_F(TicketsTest, IsStoredAsADigest) {
  const Ticket ticket = tickets_.create(kHr, user("ann"), kTicketLifetime);
  EXPECT_FALSE(store_.find({7, ticket.text}));
  EXPECT_FALSE(store_.find({7, ticket.text.substr(7)}));
  EXPECT_EQ(store_.size(), 1U);
}

TEST_F(TicketsTest, RefusesUsersThatCouldOpenNoStream) {
  const auto why = [&](const User& one, std::chrono::milliseconds lifetime = kTicketLifetime) {
    return refusal_of([&] { tickets_.create(kHr, one, lifetime); });
  };
  EXPECT_THAT(why(user("")), HasSubstr("the user id is empty"));
  EXPECT_THAT(why(user(std::string(5000, 'x'))), HasSubstr("the user id must be at most"));
  EXPECT_THAT(why(user("ann", "\xff")), HasSubstr("the tenant id must be at most"));
  User broken = user("ann");
  broken.profile = "{";
  EXPECT_THAT(why(broken), HasSubstr("the profile of the user is not valid JSON"));
  EXPECT_THAT(why(user("ann"), std::chrono::milliseconds(999)), HasSubstr("from 1s to 10m"));
  EXPECT_THAT(why(user("ann"), std::chrono::minutes(11)), HasSubstr("from 1s to 10m"));
  broken.profile.clear();
  broken.channels = {"a*b"};
  EXPECT_THAT(why(broken), HasSubstr("the list of channels"));
  broken.channels.clear();
  broken.profile = '"' + std::string(kMaxProfileBytes, 'x') + '"';
  EXPECT_THAT(refusal_of([&] { tickets_.create(kHr, broken, kTicketLifetime); }, ErrorCode::kTooLarge),
              HasSubstr("the profile of the user is larger"));
  EXPECT_EQ(store_.size(), 0U);
}

TEST_F(TicketsTest, CountsThoseBeyondTheLimit) {
  for (int i = 0; i < 3; ++i) tickets_.create(kHr, user("ann"), kTicketLifetime);
  EXPECT_EQ(counted("sse_tickets"), 3);
  EXPECT_THAT(refusal_of([&] { tickets_.create(kHr, user("ann"), kTicketLifetime); }, ErrorCode::kLimitExceeded),
              HasSubstr("--max-tickets"));
  EXPECT_EQ(counted(R"(sse_tickets_refused_total{reason="limit"})"), 1);
  clock_.advance(kTicketLifetime);
  EXPECT_EQ(counted("sse_tickets"), 0);
  tickets_.create(kHr, user("ann"), kTicketLifetime);
}

TEST_F(TicketsTest, ARequestKeyNamesItsConnectionAndUser) {
  const std::string made = tickets_.make_request_key(ConnectionId(847140540416), user("ann", "acme").identity);
  EXPECT_TRUE(Tickets::is_request_key(made));
  EXPECT_THAT(made, MatchesRegex("ssek_[A-Za-z0-9_.-]+"));
  EXPECT_THAT(made, Not(HasSubstr("session-9")));
  const auto holder = tickets_.holder_of(made);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->connection, ConnectionId(847140540416));
  EXPECT_EQ(holder->user.str(), "ann");
  EXPECT_EQ(holder->tenant.str(), "acme");
}

TEST_F(TicketsTest, ARequestKeyCannotBeMadeOrChanged) {
  const std::string made = tickets_.make_request_key(ConnectionId(5), user("ann").identity);
  std::set<std::string> others{"",
                               "ssek_",
                               "ssek_.",
                               "ssek_a.b",
                               made + "0",
                               made.substr(0, made.size() - 1),
                               made.substr(0, made.find('.')),
                               "ssek_" + std::string(9000, 'a') + ".b"};
  for (std::size_t i = 5; i < made.size(); ++i) {
    std::string changed = made;
    changed[i] = changed[i] == '0' ? '1' : '0';
    others.insert(changed);
  }
  const Tickets other(store_, 7, clock_, metrics_);
  others.insert(other.make_request_key(ConnectionId(5), user("ann").identity));
  for (const std::string& text : others) EXPECT_FALSE(tickets_.holder_of(text)) << text;
}

TEST_F(TicketsTest, AsksTheNodeOfTheConnectionAboutKeysThatItHasNotMade) {
  observe::Registry metrics;
  const Tickets other(store_, 8, clock_, metrics);
  const std::string theirs = other.make_request_key(ConnectionId(5), user("ann").identity);
  ConnectionId asked;
  bool answer = true;
  tickets_.set_check_elsewhere([&](ConnectionId connection, const std::string& key) {
    asked = connection;
    return answer && key == theirs;
  });
  EXPECT_EQ(tickets_.holder_of(theirs)->user.str(), "ann");
  EXPECT_EQ(asked, ConnectionId(5));
  answer = false;
  EXPECT_FALSE(tickets_.holder_of(theirs));
  asked = ConnectionId();
  EXPECT_TRUE(tickets_.holder_of(tickets_.make_request_key(ConnectionId(6), user("ann").identity)));
  EXPECT_FALSE(asked.valid()) << "it knows its own keys";
}

}  // namespace
}  // namespace sse::auth
