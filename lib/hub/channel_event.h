#pragma once

#include <string>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/channel_review.h"

namespace sse::hub {

/// An encoded event `sse-channel-refused`, for the client of a stream that is not, or no longer, in a channel. It has
/// no id: the client resumes from the same event as without it.
std::string encode_channel_refused(const RefusedChannel& refused);

/// Whether the frame is an event of one channel.
inline bool has_channel(const event::Frame& frame) {
  return frame.recipient() == event::TargetKind::kChannel && !frame.channel().empty();
}

/// The event of a frame with a mark before it (event::kChannelMark), which names the frame's channel. Both are one
/// frame, so that a stream takes both or none.
event::FrameRef with_channel_mark(const event::Frame& frame);
/// The same without any id: that of the event stands in the mark, and so does its position, if it is valid. The event
/// does not change the last event id of the client.
event::FrameRef with_id_in_mark(const event::Frame& frame, MessageId position = {});

/// A mark that no event follows: the client has everything that the server retains for a channel up to a position,
/// and gets what is newer like the events of its other channels. Invalid: the server has no positions.
event::FrameRef encode_caught_up(const std::string& channel, MessageId position);

}  // namespace sse::hub
