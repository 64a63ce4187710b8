#include "net/address_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sse::net {
namespace {

using TicketRef = std::unique_ptr<AddressLimiter::Ticket>;

std::shared_ptr<AddressLimiter> limiter_of(std::size_t max) {
  return std::make_shared<AddressLimiter>(max);
}

TEST(AddressLimiter, AdmitsAnAddressSoOften) {
  const auto limiter = limiter_of(2);
  TicketRef one;
  TicketRef two;
  TicketRef three;
  TicketRef other;
  EXPECT_TRUE(limiter->admit("192.0.2.1", one));
  EXPECT_TRUE(limiter->admit("192.0.2.1", two));
  EXPECT_FALSE(limiter->admit("192.0.2.1", three));
  EXPECT_EQ(three, nullptr);
  EXPECT_TRUE(limiter->admit("192.0.2.2", other)) << "another client has its own places";
}

TEST(AddressLimiter, GivesThePlaceOfAnEndedConnectionToTheNext) {
  const auto limiter = limiter_of(1);
  for (int i = 0; i < 3; ++i) {
    TicketRef ticket;
    EXPECT_TRUE(limiter->admit("192.0.2.1", ticket)) << i;
    TicketRef refused;
    EXPECT_FALSE(limiter->admit("192.0.2.1", refused)) << i;
  }
}

TEST(AddressLimiter, CountsANetworkOfIpv6AsOneClient) {
  const auto limiter = limiter_of(1);
  TicketRef one;
  TicketRef same;
  TicketRef other;
  EXPECT_TRUE(limiter->admit("2001:db8:0:1::1", one));
  EXPECT_FALSE(limiter->admit("2001:db8:0:1:ffff::2", same));
  EXPECT_TRUE(limiter->admit("2001:db8:0:2::1", other));
}

TEST(AddressLimiter, AdmitsAllWithoutALimitAndWithoutAnAddress) {
  TicketRef ticket;
  const auto unlimited = limiter_of(0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(unlimited->admit("192.0.2.1", ticket));
  EXPECT_EQ(ticket, nullptr);
  // As of a unix socket.
  const auto limited = limiter_of(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limited->admit("", ticket));
  EXPECT_EQ(ticket, nullptr);
}

TEST(AddressLimiter, ATicketMayOutliveTheListener) {
  TicketRef ticket;
  limiter_of(1)->admit("192.0.2.1", ticket);
  EXPECT_NE(ticket, nullptr);
  ticket.reset();
}

TEST(AddressLimiter, NeverAdmitsMoreWhateverTheThreads) {
  constexpr int kMax = 3;
  const auto limiter = limiter_of(kMax);
  std::atomic<int> inside{0};
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        TicketRef ticket;
        if (!limiter->admit("192.0.2.1", ticket)) continue;
        EXPECT_LE(++inside, kMax);
        ++admitted;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(admitted, 0);
  std::vector<TicketRef> tickets(kMax);
  for (TicketRef& ticket : tickets) EXPECT_TRUE(limiter->admit("192.0.2.1", ticket)) << "a place was lost";
}

}  // namespace
}  // namespace sse::net
