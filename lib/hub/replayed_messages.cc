#include "hub/replayed_messages.h"

#include <algorithm>
#include <utility>

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

}  // namespace sse::hub
