#pragma once

#include <set>
#include <string>

namespace sse::cluster {

/// A number for a node where nobody hands them out: the same for the same id as long as that is free, another by chance
/// from the second `attempt` on. Throws Error(kLimitExceeded) when all are taken.
unsigned pick_number(const std::string& id, const std::set<unsigned>& taken, unsigned attempt);

}  // namespace sse::cluster
