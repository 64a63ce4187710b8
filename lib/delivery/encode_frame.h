#pragma once

#include <string>

#include "base/ids.h"
#include "event/event.h"
#include "event/frame.h"
#include "event/target.h"

namespace sse::delivery {

/// Encodes an event for the streams. `message`: its id in the store; invalid for an at-most-once event.
inline event::FrameRef encode_frame(std::string id, const std::string& name, const std::string& data, MessageId message,
                                    event::TargetKind kind) {
  return event::Frame::make(event::encode({name, data, std::move(id), std::nullopt}), message, kind);
}

}  // namespace sse::delivery
