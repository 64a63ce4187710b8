#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sse::net {

/// Formats `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7), fractions of a second dropped.
std::string http_date(WallTime time);

/// Parses a date in any of the three forms that a recipient must accept (RFC 9110 §5.6.7); nullopt for anything else.
/// `now` determines the century of a year with two digits.
std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

/// `Date: …` with its CRLF, for the head of a response made at `now` (RFC 9110 §6.6.1); valid until the next call on
/// the same thread. Any thread; cached within the same second.
std::string_view date_line(WallTime now);

}  // namespace sse::net
