#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sse {

/// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF).
bool is_valid_utf8(std::string_view text);

/// The pieces between `separator`s, trimmed, without empty pieces.
std::vector<std::string> split_list(std::string_view text, char separator = ',');

/// Converts ASCII letters to lower case.
std::string to_lower(std::string_view text);

/// Without spaces and tabs at both ends (optional whitespace, RFC 9110 §5.6.3).
std::string_view trim_blanks(std::string_view text);

/// Compares secrets in a time that depends only on their lengths.
bool constant_time_equal(std::string_view a, std::string_view b);

/// Masks a secret for display: up to 4 leading characters, at most a third of it, then "***".
std::string mask_secret(std::string_view secret);

/// Makes `text` safe for one log line or terminal cell: control characters, line separators, bidirectional overrides
/// and invalid UTF-8 become `\xNN`; text over the byte limit is cut at a whole character and gets an ellipsis.
std::string printable(std::string_view text, std::size_t max_bytes = 200);

/// Removes a word and the `end` after it from the front of `text`; false when there is no `end`.
bool take_word(std::string_view& text, char end, std::string_view& word);
/// Parses a decimal number without any other characters.
std::optional<std::uint64_t> whole_number(std::string_view word);
/// As take_word(), for a decimal number; a word that is not a number is removed, too.
bool take_number(std::string_view& text, char end, std::uint64_t& number);

}  // namespace sse
