#pragma once

#include <string>

namespace sse {

/// Makes a JSON text safe for a terminal or viewer: the characters that printable() escapes, except ASCII controls,
/// become `\uXXXX` (DEL, C1 controls, line separators, bidirectional overrides). The meaning stays the same. REQUIRES:
/// JSON in UTF-8, as JSON libraries write it.
std::string shown_json(std::string json);

}  // namespace sse
