#pragma once

// Helpers shared by the sources of Sender. Only for these.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "delivery/sender.h"

namespace sse::delivery {

inline double seconds_since(SteadyTime begin, const Clock& clock) {
  return std::chrono::duration<double>(clock.steady_now() - begin).count();
}

inline SendResult result_of(std::uint64_t id, const event::Target& target, const std::vector<std::uint32_t>& taken) {
  SendResult result;
  result.id = id;
  for (std::size_t n = 0; n < taken.size(); ++n) {
    result.recipients.push_back({target.kind, target.names.empty() ? std::string() : target.names[n], taken[n]});
    result.delivered += taken[n];
  }
  return result;
}

}  // namespace sse::delivery
