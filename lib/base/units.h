#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "sse-server/units.h"

namespace sse {

/// Reads `250ms`, `15s`, `5m`, `2h`, `7d` (whole numbers; `0` needs no unit).
/// Throws Error(kInvalidArgument) that names the text and the units.
std::chrono::milliseconds parse_duration(std::string_view text);
/// The shortest exact form that parse_duration reads back: `15s`, `90s`, `1500ms`, `7d`.
std::string format_duration(std::chrono::milliseconds duration);
/// For display, with the two largest units: `3d 4h`, `12m 5s`, `850ms`.
std::string format_age(std::chrono::milliseconds duration);

/// Reads `512` (bytes), `64KiB`, `1MiB`, `2GiB`, also `KB`/`MB`/`GB` as powers of 1000 and `K`/`M`/`G` as powers of
/// 1024. Throws Error(kInvalidArgument) that names the text and the units.
ByteCount parse_bytes(std::string_view text);
/// The shortest exact form that parse_bytes reads back: `1MiB`, `1500`.
std::string format_bytes(ByteCount bytes);

/// Formats as UTC, RFC 3339 with milliseconds: `2024-03-01T12:00:00.000Z`.
std::string format_time(WallTime time);

}  // namespace sse
