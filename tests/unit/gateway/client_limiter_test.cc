#include "gateway/client_limiter.h"

#include <gtest/gtest.h>

namespace sse::gateway {
namespace {

std::vector<ConnectionId> ids(std::initializer_list<std::uint64_t> values) {
  std::vector<ConnectionId> list;
  for (const std::uint64_t value : values) list.emplace_back(value);
  return list;
}

TEST(ClientLimiter, EndsTheOldestWhereThereAreTooMany) {
  EXPECT_EQ(too_many(ids({1, 2, 3}), ConnectionId(3), 3), ids({}));
  EXPECT_EQ(too_many(ids({4, 2, 1, 3}), ConnectionId(4), 3), ids({1}));
  EXPECT_EQ(too_many(ids({5, 4, 2, 1, 3}), ConnectionId(5), 1), ids({1, 2, 3, 4}));
}

TEST(ClientLimiter, NeverEndsTheNewcomerWhoseClockIsBehind) {
  EXPECT_EQ(too_many(ids({10, 20, 30, 1}), ConnectionId(1), 3), ids({10}));
  // Nor counts it twice where it is not known yet.
  EXPECT_EQ(too_many(ids({10, 20, 30}), ConnectionId(1), 3), ids({10}));
}

}  // namespace
}  // namespace sse::gateway
