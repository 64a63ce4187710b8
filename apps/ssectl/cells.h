#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "event/json.h"

/// What a field of an answer looks like in a table. Lenient: a field that is missing, null or of an unexpected type
/// gives what can be shown of it, since a newer server must not break an older ssectl.
namespace sse::ctl {

/// Strings as they are, lists joined with commas, anything else as JSON text; empty for null and what is missing.
std::string text_cell(const event::Json& object, std::string_view name);
/// The recipient of a message: `bob`, or `bob of acme` for a user of one tenant.
std::string recipient_cell(const event::Json& object);
/// Time since the field's milliseconds: `3m 5s`. Never negative, whatever the clocks say.
std::string age_cell(const event::Json& object, std::string_view name, WallTime now);
/// Time until them: `in 6d 23h`, or `expired`.
std::string expiry_cell(const event::Json& object, std::string_view name, WallTime now);
/// RFC 3339.
std::string time_cell(const event::Json& object, std::string_view name);
/// A number of seconds as `2h 5m`.
std::string seconds_cell(const event::Json& object, std::string_view name);
/// `1.5 MiB`.
std::string size_cell(const event::Json& object, std::string_view name);

/// 0 when there is no such number.
std::uint64_t count_in(const event::Json& object, std::string_view name);

/// `1 connection`, `2 connections`.
std::string plural(std::uint64_t count, const std::string& one);

std::string human_size(std::uint64_t bytes);

}  // namespace sse::ctl
