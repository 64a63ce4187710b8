#include "server/front_limits.h"

#include <gtest/gtest.h>

namespace sse::server {
namespace {

TEST(FrontLimits, LeaveDescriptorsForEverythingButStreams) {
  const FrontLimits limits = front_limits(ServerOptions(), 20'000);
  EXPECT_EQ(limits.max_spooled, 256U);
  EXPECT_LT(limits.max_connections, 20'000U - 256U - 2U * 256U);
  EXPECT_GT(limits.max_connections, 18'000U);
}

TEST(FrontLimits, StreamsGetMostOfFewDescriptors) {
  const FrontLimits limits = front_limits(ServerOptions(), 1024);
  EXPECT_EQ(limits.max_spooled, 64U);
  EXPECT_GT(limits.max_connections, 512U);
  EXPECT_EQ(front_limits(ServerOptions(), 64).max_spooled, 8U);
  EXPECT_EQ(front_limits(ServerOptions(), 64).max_connections, 0U) << "no limit rather than none";
}

TEST(FrontLimits, TheOperatorsLimitIsTakenAsItIs) {
  ServerOptions options;
  options.max_connections = 5000;
  EXPECT_EQ(front_limits(options, 20'000).max_connections, 5000U);
  EXPECT_EQ(front_limits(options, 1024).max_connections, 5000U);
}

}  // namespace
}  // namespace sse::server
