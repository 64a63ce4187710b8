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

// A message that the server has refused to take as confirmed: the next try waits for the clock.
class FailedConfirmerTest : public ::testing::Test {
 protected:
  void confirm_in_vain(const std::string& id) {
    server_.accept(false);
    confirmer_.opened("c1", true);
    confirmer_.confirm(id);
    server_.wait_for_calls(1);
    ASSERT_TRUE(clock_.wait_for_sleepers(1));
  }

  Server server_;
  ManualClock clock_;
  Confirmer confirmer_{server_.confirm(), clock_};
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

TEST_F(FailedConfirmerTest, RepeatsACallForTheNextConnection) {
  confirm_in_vain("7");
  confirmer_.opened("c2", true);
  server_.accept(true);
  clock_.advance(std::chrono::milliseconds(200));
  server_.wait_for_calls(2);
  confirmer_.finish();
  EXPECT_THAT(server_.calls(), ElementsAre(Call{"c1", {"7"}}, Call{"c2", {"7"}}));
}

TEST_F(FailedConfirmerTest, WaitsLongerAfterEveryFailure) {
  confirm_in_vain("7");
  for (const int pause : {200, 400, 800, 1600, 2000, 2000}) {
    ASSERT_TRUE(clock_.wait_for_sleepers(1));
    EXPECT_EQ(clock_.next_deadline(), clock_.steady_now() + std::chrono::milliseconds(pause));
    clock_.advance(std::chrono::milliseconds(pause));
  }
  ASSERT_TRUE(clock_.wait_for_sleepers(1));
  confirmer_.finish();
}

TEST_F(FailedConfirmerTest, TriesOnceMoreAtTheEnd) {
  confirm_in_vain("7");
  confirmer_.finish();
  EXPECT_THAT(server_.calls(), ElementsAre(Call{"c1", {"7"}}, Call{"c1", {"7"}}));
}

TEST_F(FailedConfirmerTest, ForgetsTheOldestOfTooMany) {
  confirm_in_vain("0");
  for (int id = 1; id <= 10'000; ++id) confirmer_.confirm(std::to_string(id));
  server_.accept(true);
  confirmer_.finish();
  const std::vector<Call> calls = server_.calls();
  ASSERT_EQ(calls.size(), 11U);
  EXPECT_EQ(calls[1].second.front(), "1");
  EXPECT_EQ(calls[1].second.size(), 1000U);
  EXPECT_EQ(calls.back().second.back(), "10000");
}

}  // namespace
}  // namespace sse::ctl
