#include "server/maintenance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "store/memory/memory_repository.h"
#include "unit/net/loopback.h"

namespace sse::server {
namespace {

using std::chrono::seconds;

class MaintenanceTest : public ::testing::Test {
 protected:
  MaintenanceTest() {
    loops_.push_back(std::make_unique<net::EventLoop>("loop", clock_));
    delivery::SenderOptions options;
    options.hub.service = ServiceName("s");
    services_.push_back({"/s", std::make_unique<delivery::Sender>(options, loops_, ids_, metrics_, repository_)});
    loop().start();
  }
  ~MaintenanceTest() override {
    if (maintenance_) maintenance_->stop();
    services_.front().sender->stop();
    loop().stop();
  }
  net::EventLoop& loop() { return *loops_.front(); }
  delivery::Sender& sender() { return *services_.front().sender; }
  void start(Maintenance::Options options = {}) {
    maintenance_ = std::make_unique<Maintenance>(services_, repository_, metrics_, clock_, std::move(options));
    maintenance_->start(loop());
  }
  void add_message(seconds ttl) {
    repository_.add({ServiceName("s"),
                     {event::TargetKind::kUser, {"1"}, false},
                     "e",
                     "data",
                     clock_.wall_now(),
                     clock_.wall_now() + ttl});
  }
  double expired() { return metrics_.snapshot()["sse_expired_total"]; }

  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<application::Service> services_;
  std::unique_ptr<Maintenance> maintenance_;
};

TEST_F(MaintenanceTest, ExpiresAtTheStartAndEveryMinute) {
  add_message(seconds(0));
  add_message(seconds(30));
  start();
  EXPECT_TRUE(testing::eventually([&] { return expired() == 1; }));
  EXPECT_EQ(repository_.size(), 1U);
  EXPECT_TRUE(clock_.advance_until(seconds(1), [&] { return repository_.size() == 0; }));
  EXPECT_TRUE(testing::eventually([&] { return expired() == 2; }));
  EXPECT_EQ(repository_.count_dead({}), 2U);
}

TEST_F(MaintenanceTest, SweepsBeforeItExpires) {
  std::atomic<int> sweeps{0};
  Maintenance maintenance(services_, repository_, metrics_, clock_,
                          {false, [&] { sweeps += repository_.size() == 1 ? 1 : 100; }});
  add_message(seconds(0));
  maintenance.expire();
  EXPECT_EQ(sweeps, 1);
  EXPECT_EQ(repository_.size(), 0U);
  maintenance.stop();
}

TEST_F(MaintenanceTest, ADemoSendsToEveryUserEveryThreeSeconds) {
  auto pair = testing::tcp_pair();
  hub::NewConnection page;
  page.identity.user = UserId("1");
  page.socket = std::move(pair.server);
  sender().hub().connect(std::move(page));
  ASSERT_TRUE(pair.client.receive_until("connect-finish"));
  start({true, {}});
  EXPECT_TRUE(clock_.advance_until(seconds(1), [&] { return sender().sends() != 0; }));
  EXPECT_TRUE(pair.client.receive_until("event:server-push"));
}

}  // namespace
}  // namespace sse::server
