#pragma once

#include <cstddef>

namespace sse::cluster {

/// Maximum size of a post between nodes, and of its response.
inline constexpr std::size_t kMaxMeshBody = std::size_t{160} << 20;

}  // namespace sse::cluster
