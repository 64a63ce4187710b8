#pragma once

#include <cstdint>
#include <string_view>

namespace sse {

/// CRC-32 (ISO 3309, as in zlib and PNG); `so_far` is the checksum of the preceding bytes.
std::uint32_t crc32(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace sse
