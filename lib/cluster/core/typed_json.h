#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "event/json.h"

/// Reads JSON from other programs (nodes, Nacos) defensively: a field of the wrong type counts as absent, and nothing
/// is thrown. `json` may be of any type.
namespace sse::cluster {

/// The maximum size of one node's reply to a list query.
inline constexpr std::size_t kMaxNodeDocument = std::size_t{64} << 20;

/// Returns nullopt if the text is not JSON, is nested too deeply or exceeds `max_bytes` bytes.
std::optional<event::Json> read_json(std::string_view text, std::size_t max_bytes);

std::string text_in(const event::Json& json, const char* name);
/// Reads a non-negative whole number.
std::uint64_t count_in(const event::Json& json, const char* name, std::uint64_t fallback = 0);
/// Reads any whole number; `fallback` if it does not fit.
std::int64_t number_in(const event::Json& json, const char* name, std::int64_t fallback);
bool flag_in(const event::Json& json, const char* name, bool fallback = false);

/// Validates what a node publishes about itself (Node::facts): an object of strings, whole numbers and booleans. Known
/// fields must have their type; all other values are dropped.
event::Json typed_facts(const event::Json& facts);
/// The same for JSON text.
event::Json read_facts(std::string_view text);

}  // namespace sse::cluster
