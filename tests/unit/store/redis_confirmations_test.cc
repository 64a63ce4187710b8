// Confirmations that wait for a Redis that does not answer.
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/redis/redis_address.h"
#include "cluster/redis/redis_repository.h"
#include "observe/metrics.h"
#include "support/redis.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;

TEST(RedisConfirmations, SayWhenThereIsNoRoomForMore) {
  sse::testing::RedisProcess redis({"--appendfsync", "no"});
  observe::Registry metrics;
  Mutex mutex;
  std::vector<std::string> said;
  cluster::RedisRepository::Options options;
  options.link.address = cluster::parse_redis_address(redis.url());
  options.link.answer_timeout = 200ms;
  options.max_confirmations = 5;
  options.dropped = &metrics.counter("dropped_total", "x");
  options.on_error = [&](const std::string& sentence) {
    const MutexLock lock(mutex);
    said.push_back(sentence);
  };
  cluster::RedisRepository repository(options, sse::testing::kTimeout);
  std::vector<MessageId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(repository.add(to_users({"1"})));
  redis.freeze();
  // One batch may be on its way to Redis.
  for (int round = 0; round < 4; ++round)
    for (const MessageId id : ids) repository.confirm(kService, user("1"), id);
  EXPECT_GT(options.dropped->value(), 0u);
  {
    const MutexLock lock(mutex);
    EXPECT_THAT(said, Contains(HasSubstr("no room for more")));
    // Once more when the batch on its way has made room meanwhile.
    EXPECT_LE(std::ranges::count_if(said, [](const std::string& s) { return s.find("no room") != s.npos; }), 2);
  }
  redis.thaw();
  // Those that found room are confirmed; the others are still pending, to be delivered once more.
  EXPECT_TRUE(eventually([&] { return repository.size() < 20; }));
  EXPECT_GT(repository.size(), 0u);
}

}  // namespace
}  // namespace sse::store
