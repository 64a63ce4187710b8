#include "hub/tcp_ack_poll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <map>
#include <vector>

#include "base/manual_clock.h"

namespace sse::hub {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct FakeStream {
  explicit FakeStream(std::uint64_t number) : id(number) {}
  bool check_acknowledged() {
    ++checks;
    return waits;
  }

  ConnectionId id;
  TcpAckRound ack_round;
  bool waits = true;
  int checks = 0;
};
static_assert(sizeof(TcpAckRound) == 1, "every stream has one");

class TcpAckPollTest : public ::testing::Test {
 protected:
  TcpAckPollTest() {
    loop_.start();
    for (const std::uint64_t id : {1U, 2U}) streams_.emplace(id, id);
  }
  ~TcpAckPollTest() override { loop_.stop(); }

  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    loop_.post([&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }
  // A turn of the loop in which these streams wrote messages.
  void write(const std::vector<std::uint64_t>& ids) {
    on_loop([&] {
      for (const std::uint64_t id : ids) poll_.written(streams_.at(id));
      poll_.end_turn();
    });
  }
  // Time goes on by single milliseconds; returns when the stream was checked meanwhile.
  std::vector<int> checks_within(std::uint64_t id, int millis) {
    std::vector<int> times;
    for (int now = 1; now <= millis; ++now) {
      const int before = streams_.at(id).checks;
      clock_.advance(milliseconds(1));
      // A turn runs its tasks before its timers: the second task comes after the first one's turn.
      for (int i = 0; i < 2; ++i) on_loop([] {});
      if (streams_.at(id).checks > before) times.push_back(now);
    }
    return times;
  }

  ManualClock clock_;
  net::EventLoop loop_{"test", clock_};
  std::map<std::uint64_t, FakeStream> streams_;
  TcpAckPoll<FakeStream> poll_{loop_, [this](ConnectionId id) {
                                 const auto found = streams_.find(id.value());
                                 return found == streams_.end() ? nullptr : &found->second;
                               }};
};

TEST_F(TcpAckPollTest, ChecksAStreamOnceAtTheEndOfTheTurnInWhichItWrote) {
  streams_.at(1).waits = false;
  write({1, 1, 1});
  EXPECT_EQ(streams_.at(1).checks, 1);
  EXPECT_EQ(streams_.at(2).checks, 0);
  EXPECT_THAT(checks_within(1, 300), IsEmpty());
  write({1});
  EXPECT_EQ(streams_.at(1).checks, 2);
}

TEST_F(TcpAckPollTest, ChecksAStreamThatWaitsLessAndLessOften) {
  write({1});
  EXPECT_THAT(checks_within(1, 1100), ElementsAre(2, 6, 14, 30, 62, 126, 254, 504, 754, 1004));
}

TEST_F(TcpAckPollTest, StopsWhenNothingIsLeftToWaitFor) {
  write({1, 2});
  streams_.at(1).waits = false;
  EXPECT_THAT(checks_within(1, 300), ElementsAre(2));
}

TEST_F(TcpAckPollTest, BeginsAgainWithAStreamThatWritesMeanwhile) {
  write({1});
  EXPECT_THAT(checks_within(1, 30), ElementsAre(2, 6, 14, 30));
  write({1});
  // Its place in the slow round is stale.
  EXPECT_THAT(checks_within(1, 30), ElementsAre(2, 6, 14, 30));
}

TEST_F(TcpAckPollTest, ForgetsAStreamThatIsGone) {
  write({1, 2});
  on_loop([&] { streams_.erase(1); });
  EXPECT_THAT(checks_within(2, 10), ElementsAre(2, 6));
}

}  // namespace
}  // namespace sse::hub
