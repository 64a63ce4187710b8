#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sse::ctl {

/// Number of terminal cells that `text` occupies: wide characters count two, combining characters zero.
/// REQUIRES: `text` has no control characters (see sse::printable).
std::size_t display_width(std::string_view text);

/// `text` cut to at most `width` cells, including an ellipsis if something was cut off.
std::string fit(std::string_view text, std::size_t width);

}  // namespace sse::ctl
