#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "soak/servers.h"

namespace sse::soak {

/// The sum of all servers' figures while only the permanently connected clients are connected.
struct IdleSample {
  std::uint64_t opened = 0;
  std::uint64_t open = 0;
  std::map<std::string, std::uint64_t> closed;  ///< by reason
  std::uint64_t memory = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t threads = 0;
  std::uint64_t pending = 0;  ///< messages in the shared store

  std::uint64_t closed_in_all() const;
};
IdleSample look(Servers& servers);

/// Checks the samples of a run and returns a sentence for each problem: growing memory or descriptors, counters that do
/// not add up, a close reason that never occurred. `filling`: bytes that memories of a fixed size of each server may
/// still grow by between the middle and the end of the run.
std::vector<std::string> find_problems(const std::vector<IdleSample>& calms, std::size_t servers,
                                       std::uint64_t filling = 0);

}  // namespace sse::soak
