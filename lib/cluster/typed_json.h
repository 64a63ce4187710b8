#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "event/json.h"

/// What other programs (nodes, Nacos) say in JSON, read so that a field of another type is an absent one and nothing is
/// thrown. `json` may be anything.
namespace sse::cluster {

/// The most that one node may answer to a question for a list.
inline constexpr std::size_t kMaxNodeDocument = std::size_t{64} << 20;

/// Nothing for what is no JSON, is nested deeply or is larger than `most` bytes.
std::optional<event::Json> read_json(std::string_view text, std::size_t most);

std::string text_in(const event::Json& json, const char* name);
/// Whole numbers from 0 on.
std::uint64_t count_in(const event::Json& json, const char* name, std::uint64_t fallback = 0);
/// Any whole number; what does not fit is `fallback`.
std::int64_t number_in(const event::Json& json, const char* name, std::int64_t fallback);
bool flag_in(const event::Json& json, const char* name, bool fallback = false);

/// What a node says about itself for the list of nodes (Node::facts): an object of texts, whole numbers and flags, each
/// of those this version knows of its type; everything else is left out.
event::Json typed_facts(const event::Json& facts);
/// The same of a text.
event::Json read_facts(std::string_view text);

}  // namespace sse::cluster
