#include "delivery/dead_letters.h"

#include <algorithm>

namespace sse::delivery {

void cut_page(std::vector<DeadLetter>& letters, std::size_t limit) {
  std::ranges::stable_sort(letters, {}, [](const DeadLetter& letter) { return letter.message.id; });
  std::size_t end = std::min(limit, letters.size());
  while (end > 0 && end < letters.size() && letters[end].message.id == letters[end - 1].message.id) ++end;
  letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(end), letters.end());
}

}  // namespace sse::delivery
