#include "ssectl/commands/confirmer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "base/mutex.h"

namespace sse::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Call = std::pair<std::string, std::vector<std::string>>;

// A server that records the calls and accepts or refuses them.
class Server {
 public:
  Confirmer::Confirm confirm() {
    return [this](const std::string& connection, const std::vector<std::string>& ids) {
      const MutexLock lock(mutex_);
      calls_.emplace_back(connection, ids);
      changed_.notify_all();
      return accepts_;
    };
  }
  void accept(bool accepts) {
    const MutexLock lock(mutex_);
    accepts_ = accepts;
  }
  std::vector<Call> calls() {
    const MutexLock lock(mutex_);
    return calls_;
  }
  void wait_for_calls(std::size_t count) {
    const MutexLock lock(mutex_);
    while (calls_.size() < count) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Call> calls_ GUARDED_BY(mutex_);
  bool accepts_ GUARDED_BY(mutex_) = true;
};

TEST(Confirmer, ConfirmsForTheConnectionThatIsOpen) {
  Server server;
  Confirmer confirmer(server.confirm());
  confirmer.opened("c1", true);
  confirmer.confirm("7");
  server.wait_for_calls(1);
  confirmer.finish();
  EXPECT_THAT(server.calls(), ElementsAre(Call{"c1", {"7"}}));
}

TEST(Confirmer, ConfirmsNothingIfTheServerExpectsNoConfirmations) {
  Server server;
  Confirmer confirmer(server.confirm());
  confirmer.confirm("6");
  confirmer.opened("c1", false);
  confirmer.confirm("7");
  confirmer.finish();
  EXPECT_THAT(server.calls(), IsEmpty());
}

TEST(Confirmer, RepeatsAFailedCallForTheNextConnection) {
  Server server;
  server.accept(false);
  ManualClock clock;
  {
    Confirmer confirmer(server.confirm(), clock);
    confirmer.opened("c1", true);
    confirmer.confirm("7");
    server.wait_for_calls(1);
    ASSERT_TRUE(clock.wait_for_sleepers(1));
    confirmer.opened("c2", true);
    server.accept(true);
    clock.advance(std::chrono::milliseconds(200));
    server.wait_for_calls(2);
  }
  EXPECT_THAT(server.calls(), ElementsAre(Call{"c1", {"7"}}, Call{"c2", {"7"}}));
}

TEST(Confirmer, WaitsLongerAfterEveryFailure) {
  Server server;
  server.accept(false);
  ManualClock clock;
  Confirmer confirmer(server.confirm(), clock);
  confirmer.opened("c1", true);
  confirmer.confirm("7");
  for (const int pause : {200, 400, 800, 1600, 2000, 2000}) {
    ASSERT_TRUE(clock.wait_for_sleepers(1));
    EXPECT_EQ(clock.next_deadline(), clock.steady_now() + std::chrono::milliseconds(pause));
    clock.advance(std::chrono::milliseconds(pause));
  }
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  confirmer.finish();
}

TEST(Confirmer, TriesOnceMoreAtTheEnd) {
  Server server;
  server.accept(false);
  ManualClock clock;
  Confirmer confirmer(server.confirm(), clock);
  confirmer.opened("c1", true);
  confirmer.confirm("7");
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  confirmer.finish();
  EXPECT_THAT(server.calls(), ElementsAre(Call{"c1", {"7"}}, Call{"c1", {"7"}}));
}

TEST(Confirmer, ForgetsTheOldestOfTooMany) {
  Server server;
  server.accept(false);
  ManualClock clock;
  Confirmer confirmer(server.confirm(), clock);
  confirmer.opened("c1", true);
  confirmer.confirm("0");
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  for (int id = 1; id <= 10'000; ++id) confirmer.confirm(std::to_string(id));
  server.accept(true);
  confirmer.finish();
  const std::vector<Call> calls = server.calls();
  ASSERT_EQ(calls.size(), 11U);
  EXPECT_EQ(calls[1].second.front(), "1");
  EXPECT_EQ(calls[1].second.size(), 1000U);
  EXPECT_EQ(calls.back().second.back(), "10000");
}

}  // namespace
}  // namespace sse::ctl
