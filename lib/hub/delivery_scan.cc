#include "hub/delivery_scan.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/step_count.h"
#include "event/frame.h"

namespace sse::hub {

void find_delivery_states(const ConnectionRegistry& registry, const AckTracker& acks,
                          const std::vector<DeliveryState>& messages, const std::vector<std::size_t>& asked,
                          std::vector<FoundState>& found) {
  using State = DeliveryState::State;
  const DeliveryState& any = messages[asked.front()];
  const ConnectionRegistry::Receivers receivers = registry.receivers(any.kind, any.name);
  std::unordered_map<MessageId, std::size_t> by_id;
  // Messages only for listeners, by event, for which no listening connection was found yet.
  std::map<std::string_view, std::vector<std::size_t>> without_listener;
  for (const std::size_t i : asked) {
    by_id.emplace(messages[i].message, i);
    if (messages[i].listening) without_listener[messages[i].event].push_back(i);
  }
  const auto raise = [&](std::size_t i, State state) { found[i].state = std::max(found[i].state, state); };
  const auto in_flight = [&](MessageId message, ConnectionId connection) {
    const auto one = by_id.find(message);
    if (one == by_id.end()) return;
    raise(one->second, State::kInFlight);
    found[one->second].connection = std::max(found[one->second].connection, connection);
  };
  std::unordered_set<const ListenerSet*> checked_sets;  // streams share them
  std::vector<MessageId> ids;
  bool online = false;
  for (const Connection* connection : receivers.members()) {
    count_steps();
    if (!receivers.include(*connection)) continue;
    online = true;
    if (!without_listener.empty() && checked_sets.insert(connection->listeners).second) {
      std::erase_if(without_listener, [&](const auto& event) {
        count_steps();
        if (!connection->listens(event.first)) return false;
        for (const std::size_t i : event.second) raise(i, State::kWaiting);
        return true;
      });
    }
    ids.clear();
    const InFlight* log = acks.in_flight(*connection);
    if (log == nullptr) {
      ids = connection->carried_messages();
    } else if (log->length() <= by_id.size()) {
      log->list(ids);
    } else {
      for (const auto& [message, i] : by_id) {
        if (log->contains(message)) ids.push_back(message);
      }
    }
    for (const MessageId id : ids) in_flight(id, connection->id);
  }
  if (!online) return;
  for (const std::size_t i : asked) raise(i, messages[i].listening ? State::kNotListening : State::kWaiting);
}

// Mirrors the conditions of Shard::take() and Stream::append(). A stream that is not blocked is flushed before it
// overflows.
DeliveryForecast forecast(const Connection& connection, std::size_t event_bytes, std::uint64_t max_backlog) {
  const std::uint64_t bytes = event::size_on_stream(event_bytes, connection.chunked());
  if (connection.replay) {
    return connection.replay->overflows(bytes, max_backlog) ? DeliveryForecast::kOverflows : DeliveryForecast::kWaits;
  }
  const std::uint64_t backlog = connection.backlog_bytes();
  return connection.blocked() && backlog > 0 && backlog + bytes > max_backlog ? DeliveryForecast::kOverflows
                                                                              : DeliveryForecast::kTakes;
}

}  // namespace sse::hub
