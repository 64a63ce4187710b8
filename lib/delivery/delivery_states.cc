#include "delivery/delivery_states.h"

#include <algorithm>
#include <utility>

namespace sse::delivery {

std::string_view state_name(const hub::DeliveryState& message) {
  using State = hub::DeliveryState::State;
  if (message.unread && message.state < State::kWaiting) return "unknown";
  switch (message.state) {
    case State::kOffline:
      return "offline";
    case State::kNotListening:
      return "not-listening";
    case State::kWaiting:
      return "waiting";
    case State::kInFlight:
      return "in-flight";
  }
  return "";
}

void DeliveryStates::find(std::vector<hub::DeliveryState>& messages, std::vector<std::string>& missing) {
  hub_.directory().find_delivery_states(messages);
  if (remote_nodes_ == nullptr || messages.empty()) return;
  for (std::string& node : remote_nodes_->find_delivery_states(service_, messages)) {
    if (std::ranges::find(missing, node) == missing.end()) missing.push_back(std::move(node));
  }
}

std::vector<hub::DeliveryState> DeliveryStates::find(const std::vector<store::PendingMessage>& rows,
                                                     std::vector<std::string>& missing) {
  std::vector<hub::DeliveryState> messages;
  messages.reserve(rows.size());
  for (const store::PendingMessage& row : rows)
    messages.push_back({row.recipient.kind, row.recipient.name, row.id, row.event, row.listening});
  find(messages, missing);
  return messages;
}

}  // namespace sse::delivery
