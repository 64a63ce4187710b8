#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sse::cli {

/// The candidate that a misspelt word most probably means: the one with the fewest inserted, deleted, changed and
/// swapped characters, or one that the word begins. Letter case and the difference of '_' and '-' do not count. Empty
/// if none is close.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?" for the nearest candidate x; empty if there is none.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace sse::cli
