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

/// The frame of an event as it reaches streams as that kind of recipient: the acknowledgement of a message counts for
/// it. REQUIRES: a message to several kinds has no channel.
inline event::FrameRef frame_for(const event::FrameRef& frame, event::TargetKind kind) {
  const bool same = !frame->message().valid() || frame->recipient() == kind;
  return same ? frame : frame->for_recipient(kind);
}

}  // namespace sse::delivery
