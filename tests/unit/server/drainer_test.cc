#include "server/drainer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "store/memory/memory_repository.h"
#include "support/page.h"

namespace sse::server {
namespace {

using std::chrono::milliseconds;
using testing::Page;

// Two services on a loop, on a clock of the test.
class DrainerTest : public ::testing::Test {
 protected:
  DrainerTest() {
    loops_.push_back(std::make_unique<net::EventLoop>("loop", clock_));
    for (const char* name : {"a", "b"}) {
      delivery::SenderOptions options;
      options.hub.service = ServiceName(name);
      options.hub.heartbeat = milliseconds(0);
      services_.push_back(
          {std::string("/") + name, std::make_unique<delivery::Sender>(options, loops_, ids_, metrics_, repository_)});
    }
    for (const auto& loop : loops_) loop->start();
  }
  ~DrainerTest() override {
    for (const auto& service : services_) service.sender->stop();
    for (const auto& loop : loops_) loop->stop();
    services_.clear();
  }

  hub::Hub& hub(std::size_t service) { return services_[service].sender->hub(); }
  std::vector<Page> open(std::size_t service, std::size_t count) {
    std::vector<Page> pages;
    for (std::size_t i = 0; i < count; ++i)
      pages.push_back(testing::open_page(hub(service), {.user = std::to_string(i)}));
    return pages;
  }
  std::size_t streams() { return hub(0).directory().connections() + hub(1).directory().connections(); }
  // The drainer has done what is due and waits for its next step.
  void settle() {
    ASSERT_TRUE(clock_.wait_for_sleepers(1));
    for (int i = 0; i < 2; ++i) {
      for (const auto& service : services_)
        service.sender->hub().directory().visit({}, [](hub::Shard&, std::size_t) {});
    }
  }
  void step() {
    clock_.advance(milliseconds(100));
    settle();
  }

  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<application::Service> services_;
};

TEST_F(DrainerTest, EndsSoManyStreamsASecond) {
  const std::vector<Page> pages = open(0, 10);
  Drainer drainer(services_, milliseconds(1000));
  drainer.start(20);
  settle();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 8; })) << streams();
  step();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 6; })) << streams();
}

TEST_F(DrainerTest, TellsAClientWhenToReconnect) {
  std::vector<Page> pages = open(0, 1);
  Drainer drainer(services_, milliseconds(1000));
  drainer.start(1000);
  EXPECT_TRUE(pages[0].client.receive_all());
  const std::string& all = pages[0].client.received();
  const std::size_t retry = all.rfind("retry:");
  ASSERT_NE(retry, std::string::npos) << all;
  EXPECT_GT(retry, all.find("connect-finish")) << all;
}

TEST_F(DrainerTest, EndsThoseOfEveryServiceAndThoseThatOpenMeanwhile) {
  const std::vector<Page> a = open(0, 3);
  const std::vector<Page> b = open(1, 3);
  Drainer drainer(services_, milliseconds(1000));
  drainer.start(1000);
  EXPECT_TRUE(testing::eventually([&] { return streams() == 0; }));
  settle();
  const std::vector<Page> late = open(1, 2);
  EXPECT_EQ(streams(), 2U);
  step();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 0; }));
}

TEST_F(DrainerTest, ASecondStartChangesTheRate) {
  const std::vector<Page> pages = open(0, 20);
  Drainer drainer(services_, milliseconds(1000));
  drainer.start(10);
  settle();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 19; })) << streams();
  drainer.start(1000);
  step();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 0; })) << streams();
}

TEST_F(DrainerTest, EndsNoMoreStreamsOnceCancelledUntilItIsStartedAgain) {
  const std::vector<Page> pages = open(0, 5);
  Drainer drainer(services_, milliseconds(1000));
  drainer.cancel();  // harmless
  drainer.start(10);
  settle();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 4; })) << streams();
  drainer.cancel();
  clock_.advance(std::chrono::seconds(10));
  for (int i = 0; i < 2; ++i) hub(0).directory().visit({}, [](hub::Shard&, std::size_t) {});
  EXPECT_EQ(streams(), 4U);
  drainer.start(1000);
  EXPECT_TRUE(testing::eventually([&] { return streams() == 0; })) << streams();
}

TEST_F(DrainerTest, EndsNoMoreStreamsOnceStopped) {
  const std::vector<Page> pages = open(0, 5);
  Drainer drainer(services_, milliseconds(1000));
  drainer.start(10);
  settle();
  EXPECT_TRUE(testing::eventually([&] { return streams() == 4; })) << streams();
  drainer.stop();
  drainer.start(1000);  // stopped for good
  clock_.advance(std::chrono::seconds(10));
  for (int i = 0; i < 2; ++i) hub(0).directory().visit({}, [](hub::Shard&, std::size_t) {});
  EXPECT_EQ(streams(), 4U);
}

}  // namespace
}  // namespace sse::server
