#include "cli/suggestion.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace sse::cli {
namespace {

// No option, command or variable is longer; the cost of a comparison grows with the square of it.
constexpr std::size_t kMaxWord = 64;

// The optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = cost[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      here = std::min(
          {cost[(i - 1) * width + j] + 1, cost[i * width + j - 1] + 1, cost[(i - 1) * width + j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here = std::min(here, cost[(i - 2) * width + j - 2] + 1);
    }
  }
  return cost.back();
}

std::string comparable(std::string_view word) {
  std::string text = to_lower(word);
  std::ranges::replace(text, '_', '-');
  return text;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kMaxWord) return "";
  const std::string wanted = comparable(word);
  // A third of the characters may be wrong, but of a short word at least one.
  const std::size_t limit = std::max<std::size_t>(1, wanted.size() / 3);
  std::size_t least = kMaxWord;
  std::string best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kMaxWord) continue;
    const std::string text = comparable(candidate);
    std::size_t cost = distance(wanted, text);
    // An abbreviation ranks behind a word with one error.
    const bool begun = wanted.size() >= 3 && text.starts_with(wanted);
    if (!begun && (cost > limit || cost >= text.size())) continue;
    if (begun) cost = std::min<std::size_t>(2, cost);
    if (cost >= least) continue;
    least = cost;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string found = nearest(word, candidates);
  return found.empty() ? "" : "; did you mean '" + found + "'?";
}

}  // namespace sse::cli
