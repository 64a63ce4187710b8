#include "hub/replayed_messages.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "hub/connection.h"

namespace sse::hub {

void ReplayedMessages::add(std::span<const event::FrameRef> page, SteadyTime now) {
  if (empty()) young_since_ = now;
  const auto middle = static_cast<std::ptrdiff_t>(young_.size());
  for (const event::FrameRef& frame : page) {
    if (frame->message().valid()) young_.push_back(frame->message());
  }
  // Mostly sorted already: only messages of another node are out of order between pages, and only events that a client
  // missed within a page.
  std::sort(young_.begin() + middle, young_.end());
  if (middle > 0 && std::cmp_less(middle, young_.size()) &&
      young_[static_cast<std::size_t>(middle)] < young_[static_cast<std::size_t>(middle) - 1])
    std::inplace_merge(young_.begin(), young_.begin() + middle, young_.end());
}

bool ReplayedMessages::contains(MessageId message) const {
  return std::ranges::binary_search(young_, message) || std::ranges::binary_search(old_, message);
}

void ReplayedMessages::expire(SteadyTime now) {
  if (now - young_since_ < kPublishTime) return;
  old_ = std::exchange(young_, {});
  young_since_ = now;
}

bool ReplayedStreams::has(const Connection& connection, MessageId message) const {
  if (!connection.replayed_from_store) return false;
  const auto given = streams_.find(connection.id.value());
  return given != streams_.end() && given->second.contains(message);
}

void ReplayedStreams::note(Connection& connection, std::span<const event::FrameRef> page, SteadyTime now) {
  if (std::ranges::none_of(page, [](const event::FrameRef& frame) { return frame->message().valid(); })) return;
  streams_[connection.id.value()].add(page, now);
  connection.replayed_from_store = true;
}

void ReplayedStreams::expire(SteadyTime now, const std::function<Connection*(ConnectionId)>& find) {
  for (auto one = streams_.begin(); one != streams_.end();) {
    Connection* connection = find(ConnectionId(one->first));
    const bool gone = connection == nullptr || !connection->indexed;
    // While a replay is running, a further pass must not deliver the messages of the first pass again.
    if (!gone && !connection->replay) {
      one->second.expire(now);
      connection->replayed_from_store = !one->second.empty();
    }
    one = gone || one->second.empty() ? streams_.erase(one) : std::next(one);
  }
}

}  // namespace sse::hub
