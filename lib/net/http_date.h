#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sse::net {

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). What is less than a second is dropped.
std::string http_date(WallTime time);

/// A date in any of the three forms that RFC 9110 §5.6.7 has a recipient take; nullopt for anything else. `now` tells
/// the century of a year with two digits.
std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

/// `Date: …` with its CRLF, for the head of a response that is made `now` (RFC 9110 §6.6.1); good until this thread's
/// next call. Any thread; costs next to nothing within the same second.
std::string_view date_line(WallTime now);

}  // namespace sse::net
