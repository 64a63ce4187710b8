#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "event/json.h"

/// Formats the fields of a server response as table cells. Lenient: a field that is missing, null or of an unexpected
/// type is shown as well as possible, because a newer server must not break an older ssectl.
namespace sse::ctl {

/// Strings unchanged, lists joined with commas, anything else as JSON text; empty for null and for a missing field.
std::string text_cell(const event::Json& object, std::string_view name);
/// The channels of a connection; of a server that reports only one, that one.
std::string channels_cell(const event::Json& connection);
/// The recipient of a message: `bob`, or `bob of acme` for a user of one tenant.
std::string recipient_cell(const event::Json& object);
/// Time since the field's timestamp (milliseconds): `3m 5s`. Never negative, even if the clocks of client and server
/// differ.
std::string age_cell(const event::Json& object, std::string_view name, WallTime now);
/// Time until the field's timestamp (milliseconds): `in 6d 23h`, or `expired`.
std::string expiry_cell(const event::Json& object, std::string_view name, WallTime now);
/// The field's timestamp (milliseconds) in RFC 3339 form.
std::string time_cell(const event::Json& object, std::string_view name);
/// The field's timestamp and the time since then: `2026-11-28T12:00:00.000Z (3m 5s ago)`; empty if it is missing.
std::string time_ago_cell(const event::Json& object, std::string_view name, WallTime now);
/// The field's number of seconds as `2h 5m`.
std::string seconds_cell(const event::Json& object, std::string_view name);
/// The field's number of bytes as `1.5 MiB`.
std::string size_cell(const event::Json& object, std::string_view name);

/// The field's number; 0 if it is missing or not an integer.
std::uint64_t count_in(const event::Json& object, std::string_view name);

/// `1 connection`, `2 connections`.
std::string plural(std::uint64_t count, const std::string& one);

std::string human_size(std::uint64_t bytes);

}  // namespace sse::ctl
