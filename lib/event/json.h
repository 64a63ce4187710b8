#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/json_value.h"
#include "event/target.h"

namespace sse::event {

/// Parses a JSON document. Throws Error(kInvalidArgument) "<what> is not valid JSON: at line 1, column 2: …", also for
/// more than 64 levels of nesting, which no request needs and which could exhaust the stack.
Json parse_json(std::string_view text, std::string_view what);
/// As parse_json(), but returns null for invalid JSON: for documents that must be objects anyway.
Json parse_json_or_null(std::string_view text);

/// Serializes; invalid UTF-8 inside strings is replaced by U+FFFD instead of throwing.
std::string dump_json(const Json& json);
/// An object whose members keep the given order, for existing clients that depend on it.
std::string dump_fields(const std::vector<std::pair<std::string_view, Json>>& fields);

/// `{"users":["1"]}`, `{"tenants":[…]}`, `{"tokens":[…]}`, `{"channels":[…]}` or `{"all":true}`, each optionally with
/// `"listening":true`; users and channels optionally with `"tenant":"…"`.
Json to_json(const Target& target);
/// The union of targets in one object: `{"channels":["a"],"users":["1"]}`. REQUIRES: a tenant is that of all of them.
Json to_json(const Target& target, const std::vector<Target>& also);

/// Inverse of to_json; numbers are accepted as names, too (`{"users":[1]}`). The result is normalized. Throws
/// Error(kInvalidArgument) when not exactly one kind is given, or a field is unknown or has the wrong type.
Target target_from_json(const Json& json);
/// The same for a union; at least one target, none of them normalized.
std::vector<Target> targets_from_json(const Json& json);

/// Throws Error(kInvalidArgument) "unknown field 'x' in <what>; known fields are …" when `object` is not an object or
/// has a field that is not in `known`.
void require_fields(const Json& object, std::initializer_list<std::string_view> known, std::string_view what);

/// The field as string, bool or number; `fallback` when absent or null. Throws Error(kInvalidArgument) on another type.
std::string string_field(const Json& object, std::string_view name, std::string_view fallback = "");
bool bool_field(const Json& object, std::string_view name, bool fallback = false);
/// An id that may be a string or a number (PROTOCOL.md: requests may carry both). 0 when absent or malformed.
std::uint64_t id_field(const Json& object, std::string_view name);

}  // namespace sse::event
