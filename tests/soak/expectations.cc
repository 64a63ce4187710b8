#include "soak/expectations.h"

#include <algorithm>

namespace sse::soak {

void Expectations::on_received(std::size_t client, std::uint64_t event) {
  std::deque<std::uint64_t>& expected = expected_.at(client);
  const auto found = std::ranges::find(expected, event);
  if (found == expected.end()) {
    ++duplicates_;
    return;
  }
  ++received_;
  if (found != expected.begin()) ++late_;
  expected.erase(found);
}

std::size_t Expectations::outstanding() const {
  std::size_t count = 0;
  for (const auto& events : expected_) count += events.size();
  return count;
}

}  // namespace sse::soak
