#include "delivery/delivery_states.h"

#include <gtest/gtest.h>

namespace sse::delivery {
namespace {

using State = hub::DeliveryState::State;

TEST(DeliveryStates, HaveTheNamesOfTheApi) {
  hub::DeliveryState message;
  message.state = State::kOffline;
  EXPECT_EQ(state_name(message), "offline");
  message.state = State::kNotListening;
  EXPECT_EQ(state_name(message), "not-listening");
  message.state = State::kWaiting;
  EXPECT_EQ(state_name(message), "waiting");
  message.state = State::kInFlight;
  EXPECT_EQ(state_name(message), "in-flight");
}

TEST(DeliveryStates, AreUnknownWhileANodeThatMayKnowMoreDoesNotReply) {
  hub::DeliveryState message;
  message.unread = true;
  message.state = State::kNotListening;
  EXPECT_EQ(state_name(message), "unknown");
  message.state = State::kWaiting;
  EXPECT_EQ(state_name(message), "waiting") << "no node can know more";
}

}  // namespace
}  // namespace sse::delivery
