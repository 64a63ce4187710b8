#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::store {

/// The checksum of everything stored for a message: a flipped bit in any of these would lose the message, delay it,
/// deliver it to the wrong streams, or change its content. Not negative.
std::int64_t message_checksum(MessageId id, WallTime created, WallTime expires, bool listening, std::string_view event,
                              std::string_view data);

/// Whether the stored checksum `sum` matches the message. Also true for messages without a checksum (negative, format
/// 1). The first servers of format 2 stored a checksum of event and data alone, which is accepted, too.
bool matches_checksum(std::int64_t sum, MessageId id, WallTime created, WallTime expires, bool listening,
                      std::string_view event, std::string_view data);

}  // namespace sse::store
