#pragma once

#include <set>
#include <string>

namespace sse::cluster {

/// Picks a node number where no registry assigns them: the same for the same id while that is free, a random one from
/// the second `attempt` on. Throws Error(kLimitExceeded) when all are taken.
unsigned pick_number(const std::string& id, const std::set<unsigned>& taken, unsigned attempt);

}  // namespace sse::cluster
