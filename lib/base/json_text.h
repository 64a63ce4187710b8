#pragma once

#include <string>
#include <string_view>

namespace sse {

/// Appends `text` as a JSON string (RFC 8259 §7) with its quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// Appends the shortest number that reads back as `value`; null for a value that JSON cannot express.
void append_json_number(std::string& out, double value);

}  // namespace sse
