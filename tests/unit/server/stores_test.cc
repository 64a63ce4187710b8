#include "server/stores.h"

#include <gtest/gtest.h>

#include <string>

#include "unit/net/loopback.h"

namespace sse::server {
namespace {

store::NewMessage to_user(const std::string& name) {
  return {ServiceName("s"), {event::TargetKind::kUser, {name}, false}, "e", "data", from_millis(1000),
          from_millis(2000)};
}

class StoresTest : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  IdGenerator ids_{1};
  observe::Registry metrics_;
  ServerOptions options_;
};

TEST_F(StoresTest, OneObjectHasAllInterfaces) {
  const Stores stores(options_, "node", ids_, metrics_);
  stores.messages().add(to_user("1"));
  EXPECT_EQ(stores.catalog().count({}), 1U);
  stores.messages().expire(from_millis(2000));
  EXPECT_EQ(stores.dead_letters().count_dead({}), 1U);
  EXPECT_NE(stores.attempts(), nullptr);
}

TEST_F(StoresTest, AFileKeepsTheMessages) {
  options_.database = folder_.file("pending.db");
  Stores(options_, "node", ids_, metrics_).messages().add(to_user("1"));
  EXPECT_EQ(Stores(options_, "node", ids_, metrics_).messages().size(), 1U);
}

TEST_F(StoresTest, HasTheLimitsOfTheOptions) {
  options_.qos_max_per_user = 1;
  const Stores stores(options_, "node", ids_, metrics_);
  stores.messages().add(to_user("1"));
  EXPECT_THROW(stores.messages().add(to_user("1")), Error);
  stores.messages().add(to_user("2"));
}

}  // namespace
}  // namespace sse::server
