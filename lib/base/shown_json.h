#pragma once

#include <string>

namespace sse {

/// A JSON text in which what printable() would not show as it is, and is no ASCII control, stands as `\uXXXX`: DEL, C1
/// controls, line separators, bidirectional overrides. It means the same, and can be shown by a terminal or viewer.
/// REQUIRES: JSON in UTF-8, as JSON libraries write it.
std::string shown_json(std::string json);

}  // namespace sse
