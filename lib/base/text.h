#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sse {

/// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF).
bool is_valid_utf8(std::string_view text);

/// Pieces between `separator`s, blanks around each cut off, empty pieces left out.
std::vector<std::string> split_list(std::string_view text, char separator = ',');

/// ASCII lower case.
std::string to_lower(std::string_view text);

/// Percent-decoding of a query component; '+' becomes a space. A '%' without two hex digits stays as it is.
std::string url_decode(std::string_view text);
/// Percent-encodes all but RFC 3986 unreserved characters.
std::string url_encode(std::string_view text);

/// Two lower-case hexadecimal digits a byte.
std::string to_hex(std::span<const unsigned char> bytes);

/// Compares in a time that depends on the lengths only, for secrets.
bool constant_time_equal(std::string_view a, std::string_view b);

/// How a secret may be shown: up to 4 leading characters, then "***" — never more than a third of it.
std::string mask_secret(std::string_view secret);

/// `text` fit for one log line or terminal cell: control characters, line separators, bidirectional overrides and
/// invalid UTF-8 become `\xNN`; what is longer than `most` bytes is cut at a whole character and gets an ellipsis.
std::string printable(std::string_view text, std::size_t most = 200);

/// Cuts a word and the `end` behind it off the front of `text`; false where there is no `end`.
bool take_word(std::string_view& text, char end, std::string_view& word);
/// A decimal number and nothing else.
std::optional<std::uint64_t> whole_number(std::string_view word);
/// As take_word(), for a word that is a decimal number; where it is none, the word is gone all the same.
bool take_number(std::string_view& text, char end, std::uint64_t& number);

}  // namespace sse
