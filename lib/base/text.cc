#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/hex.h"
#include "base/shown_json.h"

namespace sse {
namespace {

// Length of the ASCII-only start of the text, in whole machine words. Nearly all texts are ASCII, and this is 8 times
// as fast.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t n = 0;
  for (std::uint64_t word = 0; n + sizeof word <= text.size(); n += sizeof word) {
    std::memcpy(&word, text.data() + n, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return n;
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  if (text.empty()) return 0;
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// True when a terminal or viewer may act on the character instead of showing it: C0 and C1 controls, the line and
// paragraph separators, and characters that reorder the text around them (Unicode TR 36 §2.10.4).
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7F) return true;
  if (character.size() == 2) return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
  if (character.size() != 3 || !character.starts_with("\xE2")) return false;
  const std::string_view tail = character.substr(1);
  return tail == "\x80\x8E" || tail == "\x80\x8F" || (tail >= "\x80\xA8" && tail <= "\x80\xAE") ||
         (tail >= "\x81\xA6" && tail <= "\x81\xA9");
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) break;
    std::size_t n = utf8_sequence(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::vector<std::string> split_list(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t cut = std::min(text.find(separator), text.size());
    const std::string_view piece = trim_blanks(text.substr(0, cut));
    text.remove_prefix(std::min(cut + 1, text.size()));
    if (!piece.empty()) pieces.emplace_back(piece);
  }
  return pieces;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ other));
  }
  return difference == 0;
}

std::string mask_secret(std::string_view secret) {
  if (secret.empty()) return {};
  std::size_t shown = std::min<std::size_t>(4, secret.size() / 3);
  while (shown > 0 && (static_cast<unsigned char>(secret[shown]) & 0xC0) == 0x80) --shown;
  return std::string(secret.substr(0, shown)) + "***";
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::string piece;
  while (!text.empty()) {
    const std::size_t n = utf8_sequence(text);
    piece.clear();
    if (n == 0 || is_control(text.substr(0, n))) {
      for (const char c : text.substr(0, std::max<std::size_t>(n, 1))) {
        piece += "\\x";
        append_upper_hex(piece, static_cast<unsigned char>(c));
      }
    } else {
      piece = text.substr(0, n);
    }
    if (out.size() + piece.size() > max_bytes) return out + "…";
    out += piece;
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

std::string shown_json(std::string json) {
  // Nearly all texts contain none of these characters.
  if (json.find_first_of("\x7F\xC2\xE2") == std::string::npos) return json;
  std::string out;
  out.reserve(json.size() + 32);
  std::string_view rest = json;
  while (!rest.empty()) {
    const std::size_t n = std::max<std::size_t>(utf8_sequence(rest), 1);
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(rest[i])); };
    if (byte(0) < 0x7F || (n == 1 && byte(0) != 0x7F) || !is_control(rest.substr(0, n))) {
      out.append(rest.substr(0, n));
    } else {
      const unsigned code = n == 1   ? byte(0)
                            : n == 2 ? (byte(0) & 0x1FU) << 6U | (byte(1) & 0x3FU)
                                     : (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
      out += "\\u";
      append_upper_hex(out, static_cast<unsigned char>(code >> 8U));
      append_upper_hex(out, static_cast<unsigned char>(code & 0xFFU));
    }
    rest.remove_prefix(n);
  }
  return out;
}

bool take_word(std::string_view& text, char end, std::string_view& word) {
  const std::size_t found = text.find(end);
  if (found == std::string_view::npos) return false;
  word = text.substr(0, found);
  text.remove_prefix(found + 1);
  return true;
}

std::optional<std::uint64_t> whole_number(std::string_view word) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || stop != word.data() + word.size()) return std::nullopt;
  return number;
}

bool take_number(std::string_view& text, char end, std::uint64_t& number) {
  std::string_view word;
  if (!take_word(text, end, word)) return false;
  const std::optional<std::uint64_t> whole = whole_number(word);
  number = whole.value_or(number);
  return whole.has_value();
}

}  // namespace sse
