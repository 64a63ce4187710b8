#include "cluster/core/interest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sse::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Subscriptions stand when the test says so.
class SlowBus final : public Bus {
 public:
  void start(Receiver&) override {}
  void stop() override {}
  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) override {
    subscribed.insert(topics.begin(), topics.end());
    calls.push_back(std::move(on_subscribed));
  }
  void unsubscribe(const std::vector<std::string>& topics) override {
    for (const std::string& topic : topics) subscribed.erase(topic);
  }
  std::shared_ptr<PendingCall> start_call(const std::vector<Command>&) override { return nullptr; }
  std::string why_down() const override { return ""; }

  std::set<std::string> subscribed;
  std::vector<std::function<void(bool)>> calls;
};

class InterestTest : public ::testing::Test {
 protected:
  void acquire(const std::string& who, const std::vector<std::string>& topics) {
    interest_.acquire(topics, [this, who] { went_.push_back(who); });
  }

  SlowBus bus_;
  Interest interest_{bus_};
  std::vector<std::string> went_;
};

TEST_F(InterestTest, HoldsAStreamUntilItsTopicsStand) {
  acquire("one", {"u:1", "all"});
  EXPECT_THAT(bus_.subscribed, ElementsAre("all", "u:1"));
  EXPECT_THAT(went_, IsEmpty());
  bus_.calls[0](true);
  EXPECT_THAT(went_, ElementsAre("one"));
}

TEST_F(InterestTest, GoesOnAtOnceWhereEverythingStands) {
  acquire("one", {"u:1"});
  bus_.calls[0](true);
  acquire("two", {"u:1"});
  EXPECT_THAT(went_, ElementsAre("one", "two"));
  EXPECT_EQ(bus_.calls.size(), 1u);
}

TEST_F(InterestTest, WaitsForASubscriptionThatAnotherCallerHasJustAskedFor) {
  acquire("one", {"u:1", "all"});
  acquire("two", {"u:2"});
  acquire("three", {"u:1"});
  EXPECT_EQ(bus_.calls.size(), 2u);
  bus_.calls[0](true);
  EXPECT_THAT(went_, ElementsAre("one", "three"));
  bus_.calls[1](true);
  EXPECT_THAT(went_, ElementsAre("one", "three", "two"));
}

TEST_F(InterestTest, UnsubscribesWhenTheLastIsGoneAndStaysAwayForAWhile) {
  acquire("one", {"t"});
  acquire("two", {"t"});
  bus_.calls[0](true);
  interest_.release({"t"});
  interest_.sweep();
  interest_.sweep();
  EXPECT_THAT(bus_.subscribed, ElementsAre("t"));
  interest_.release({"t"});
  interest_.sweep();
  EXPECT_THAT(bus_.subscribed, ElementsAre("t"));
  // Back within the grace: nothing changes.
  acquire("three", {"t"});
  EXPECT_THAT(went_, ElementsAre("one", "two", "three"));
  interest_.sweep();
  interest_.sweep();
  EXPECT_THAT(bus_.subscribed, ElementsAre("t"));
  interest_.release({"t"});
  interest_.sweep();
  interest_.sweep();
  EXPECT_THAT(bus_.subscribed, IsEmpty());
  EXPECT_EQ(interest_.topics(), 0u);
}

TEST_F(InterestTest, KnowsWhatIsWantedFromTheFirstAcquireToTheLastRelease) {
  EXPECT_FALSE(interest_.wants("t"));
  acquire("one", {"t"});
  EXPECT_TRUE(interest_.wants("t"));  // though it does not stand yet
  acquire("two", {"t"});
  interest_.release({"t"});
  EXPECT_TRUE(interest_.wants("t"));
  interest_.release({"t"});
  EXPECT_FALSE(interest_.wants("t"));  // though it is still subscribed
}

TEST_F(InterestTest, ALostBusDelaysNoCaller) {
  acquire("one", {"t"});
  bus_.calls[0](false);
  EXPECT_THAT(went_, ElementsAre("one"));
}

TEST_F(InterestTest, ASilentBusDelaysNoCallerForLong) {
  acquire("one", {"t"});
  interest_.give_up_waiting();
  EXPECT_THAT(went_, IsEmpty());
  interest_.give_up_waiting();
  EXPECT_THAT(went_, ElementsAre("one"));
  bus_.calls[0](true);
  EXPECT_THAT(went_, ElementsAre("one"));
}

}  // namespace
}  // namespace sse::cluster
