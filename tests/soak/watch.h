#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "soak/servers.h"

namespace sse::soak {

/// The figures of all servers together while nobody but the clients that stay is there.
struct Calm {
  std::uint64_t opened = 0;
  std::uint64_t open = 0;
  std::map<std::string, std::uint64_t> closed;  ///< by reason
  std::uint64_t memory = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t threads = 0;
  std::uint64_t pending = 0;  ///< in the store, which they share

  std::uint64_t closed_in_all() const;
};
Calm look(Servers& servers);

/// What is wrong with a run's calm moments, a sentence each: memory or descriptors that grow, counters that do not add
/// up, a kind of ending that never happened.
std::vector<std::string> complaints(const std::vector<Calm>& calms, std::size_t servers);

}  // namespace sse::soak
