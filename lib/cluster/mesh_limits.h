#pragma once

#include <cstddef>

namespace sse::cluster {

/// Of a post of one node to another, and of its answer.
inline constexpr std::size_t kMaxMeshBody = std::size_t{160} << 20;

}  // namespace sse::cluster
