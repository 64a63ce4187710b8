#include "server/sender_options.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sse::server {
namespace {

TEST(SenderOptions, AreThoseOfTheServerForOneService) {
  ServerOptions options;
  options.qos_ttl = std::chrono::hours(3);
  options.heartbeat = std::chrono::seconds(7);
  options.qos_ack_timeout = std::chrono::seconds(9);
  options.client_max_connections = 5;
  options.max_backlog = kibibytes(77);
  const delivery::SenderOptions sender = sender_options(options, "hr");
  EXPECT_EQ(sender.hub.service, ServiceName("hr"));
  EXPECT_EQ(sender.ttl, std::chrono::hours(3));
  EXPECT_EQ(sender.hub.heartbeat, std::chrono::seconds(7));
  EXPECT_EQ(sender.hub.ack_timeout, std::chrono::seconds(9));
  EXPECT_EQ(sender.hub.client_max_connections, 5U);
  EXPECT_EQ(sender.hub.stream.max_backlog, kibibytes(77).count());
  EXPECT_EQ(sender.hub.stream.overflow, net::Stream::Overflow::kClose);
  EXPECT_EQ(sender.remote_nodes, nullptr);
}

TEST(SenderOptions, DivideTheHistoryAmongTheServices) {
  ServerOptions options;
  options.services = {{"a", "/a"}, {"b", "/b"}, {"c", "/c"}, {"d", "/d"}};
  options.history.bytes = kibibytes(400);
  EXPECT_EQ(sender_options(options, "a").history.bytes, kibibytes(100));
}

TEST(SenderOptions, ASlowStreamMayMissEventsInsteadOfBeingClosed) {
  ServerOptions options;
  options.drop_slow = true;
  EXPECT_EQ(sender_options(options, "a").hub.stream.overflow, net::Stream::Overflow::kDrop);
}

}  // namespace
}  // namespace sse::server
