#pragma once

#include <string>

#include "hub/channel_review.h"

namespace sse::hub {

/// An encoded event `sse-channel-refused`, for the client of a stream that is not, or no longer, in a channel. It has
/// no id: the client resumes from the same event as without it.
std::string encode_channel_refused(const RefusedChannel& refused);

}  // namespace sse::hub
