#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::delivery {

/// Of all that a stored message is: a bit that flips in one of these loses the message, delivers it too late or to the
/// wrong streams, or changes what it says. Not negative.
std::int64_t message_checksum(MessageId id, WallTime created, WallTime expires, bool listening, std::string_view event,
                              std::string_view data);

/// Whether `sum`, as it was stored, is that of the message. Also true for messages without one (negative, format 1);
/// the first servers of format 2 stored one of event and data alone.
bool matches_checksum(std::int64_t sum, MessageId id, WallTime created, WallTime expires, bool listening,
                      std::string_view event, std::string_view data);

}  // namespace sse::delivery
