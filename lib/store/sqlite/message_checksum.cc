#include "store/sqlite/message_checksum.h"

#include <string>

#include "base/checksum.h"

namespace sse::store {
namespace {

// Larger than any CRC-32: distinguishes these checksums from the older ones of event and data alone.
constexpr std::int64_t kWholeMessage = std::int64_t{1} << 32;

}  // namespace

std::int64_t message_checksum(MessageId id, WallTime created, WallTime expires, bool listening, std::string_view event,
                              std::string_view data) {
  const std::string numbers = id.str() + ' ' + std::to_string(to_millis(created)) + ' ' +
                              std::to_string(to_millis(expires)) + (listening ? " listening " : " ") +
                              std::to_string(event.size()) + ' ';
  return kWholeMessage | crc32(data, crc32(event, crc32(numbers)));
}

bool matches_checksum(std::int64_t sum, MessageId id, WallTime created, WallTime expires, bool listening,
                      std::string_view event, std::string_view data) {
  if (sum < 0) return true;
  if (sum < kWholeMessage) return sum == crc32(data, crc32(event));
  return sum == message_checksum(id, created, expires, listening, event, data);
}

}  // namespace sse::store
