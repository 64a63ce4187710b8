#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "event/event.h"
#include "event/frame.h"
#include "event/target.h"

namespace sse::delivery {

/// Encodes an event for the streams. `message`: its id in the store; invalid for an at-most-once event. `channel`: see
/// event::Frame::make().
inline event::FrameRef encode_frame(std::string id, const std::string& name, const std::string& data, MessageId message,
                                    event::TargetKind kind, std::string_view channel = {}) {
  return event::Frame::make(event::encode({name, data, std::move(id), std::nullopt}), message, kind, channel);
}

}  // namespace sse::delivery
