#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "hub/ack_tracker.h"
#include "hub/connection.h"
#include "hub/connection_registry.h"
#include "hub/delivery_state.h"

namespace sse::hub {

/// The state of one message on one shard, and the connection where it is in flight.
struct FoundState {
  DeliveryState::State state = DeliveryState::State::kOffline;
  ConnectionId connection{};
};

/// Finds the delivery state of the messages with the indexes `asked`, all of one recipient: raises the entry of each in
/// `found`. Visits every stream of the recipient, and its messages in flight, once. On the loop of the registry.
void find_delivery_states(const ConnectionRegistry& registry, const AckTracker& acks,
                          const std::vector<DeliveryState>& messages, const std::vector<std::size_t>& asked,
                          std::vector<FoundState>& found);

/// The outcome that a delivery would have.
enum class DeliveryForecast : unsigned char { kTakes, kWaits, kOverflows };
/// That of an event of `event_bytes` to a connection. On its loop.
DeliveryForecast forecast(const Connection& connection, std::size_t event_bytes, std::uint64_t max_backlog);

}  // namespace sse::hub
