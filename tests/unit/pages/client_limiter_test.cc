#include "pages/client_limiter.h"

#include <gtest/gtest.h>

namespace sse::pages {
namespace {

std::vector<ConnectionId> ids(std::initializer_list<std::uint64_t> values) {
  std::vector<ConnectionId> list;
  for (const std::uint64_t value : values) list.emplace_back(value);
  return list;
}

TEST(ClientLimiter, EndsTheOldestWhereThereAreTooMany) {
  EXPECT_EQ(streams_to_end(ids({1, 2, 3}), ConnectionId(3), 3), ids({}));
  EXPECT_EQ(streams_to_end(ids({4, 2, 1, 3}), ConnectionId(4), 3), ids({1}));
  EXPECT_EQ(streams_to_end(ids({5, 4, 2, 1, 3}), ConnectionId(5), 1), ids({1, 2, 3, 4}));
}

TEST(ClientLimiter, CountsTheNewcomerOnceWhetherOrNotItIsKnown) {
  EXPECT_EQ(streams_to_end(ids({10, 20, 40, 30}), ConnectionId(40), 3), ids({10}));
  EXPECT_EQ(streams_to_end(ids({10, 20, 30}), ConnectionId(40), 3), ids({10}));
  EXPECT_EQ(streams_to_end(ids({10}), ConnectionId(10), 1), ids({}));
}

TEST(ClientLimiter, LeavesAsManyAsMayBeWhenSeveralOpenAtOnce) {
  // Four at four nodes, each of which has heard of some of the others, of all, or of none.
  const std::vector<std::uint64_t> all{1, 2, 3, 4};
  for (std::size_t max_streams = 1; max_streams <= 3; ++max_streams) {
    for (const std::uint64_t newcomer : all) {
      for (unsigned known = 0; known < 16; ++known) {
        std::vector<ConnectionId> streams;
        for (std::size_t i = 0; i < all.size(); ++i) {
          if ((known >> i & 1U) != 0) streams.emplace_back(all[i]);
        }
        for (const ConnectionId ended : streams_to_end(streams, ConnectionId(newcomer), max_streams))
          EXPECT_LE(ended.value(), all.size() - max_streams) << "limit " << max_streams << ", newcomer " << newcomer;
      }
    }
    // Each knows at least what was there when it came.
    EXPECT_EQ(streams_to_end(ids({1, 2, 3, 4}), ConnectionId(4), max_streams).size(), all.size() - max_streams);
  }
}

}  // namespace
}  // namespace sse::pages
