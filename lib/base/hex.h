#pragma once

#include <span>
#include <string>

namespace sse {

/// Two lower-case hexadecimal digits for each byte.
std::string to_hex(std::span<const unsigned char> bytes);

/// Appends two upper-case hexadecimal digits, as in percent-encoding (RFC 3986 §2.1).
void append_upper_hex(std::string& out, unsigned char byte);

/// The value of a hexadecimal digit of either case; -1 for any other character.
constexpr int hex_digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace sse
