#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sse::ctl {

/// Cells `text` takes on a terminal: wide characters count two, combining ones none.
/// REQUIRES: `text` has no control characters (see sse::printable).
std::size_t display_width(std::string_view text);

/// `text` cut to at most `width` cells, an ellipsis included when something was cut off.
std::string fit(std::string_view text, std::size_t width);

}  // namespace sse::ctl
