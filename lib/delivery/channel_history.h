#pragma once

#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "hub/catch_up.h"

namespace sse::delivery {

/// A part of the retained events of one channel, for a stream that catches up with it.
struct ChannelHistoryPage {
  /// A resync event without an id: events of this part are no longer retained, or the position is not of this server.
  event::FrameRef gap{};
  std::vector<hub::RetainedEvent> events{};  ///< ascending by position
  MessageId through{};                       ///< they are all of those up to here
  bool last = true;                          ///< none is left
};

}  // namespace sse::delivery
