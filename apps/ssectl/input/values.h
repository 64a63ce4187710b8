#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sse::ctl {

/// Parses ids from the command line and removes duplicates. Throws Error(kInvalidArgument) that names the first
/// invalid one.
std::vector<std::uint64_t> parse_ids(const std::vector<std::string>& texts);

/// parse_ids() for ids of a type of their own, such as MessageId.
template <class Id>
std::vector<Id> ids_from(const std::vector<std::string>& texts) {
  const std::vector<std::uint64_t> ids = parse_ids(texts);
  return std::vector<Id>(ids.begin(), ids.end());
}

/// The same for a single id.
template <class Id>
Id id_from(const std::string& text) {
  return Id(parse_ids({text}).front());
}

/// The two parts of NAME=VALUE. Throws Error(kInvalidArgument) that names the option.
std::pair<std::string, std::string> named_value(const std::string& option, const std::string& text);

/// Calls parse_duration; an error names the option.
std::chrono::milliseconds duration_option(const std::string& option, const std::string& text);

}  // namespace sse::ctl
