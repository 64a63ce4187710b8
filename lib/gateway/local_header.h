#pragma once

namespace sse::gateway {

/// The header of a request that a node of a cluster shall answer alone.
inline constexpr const char* kLocalHeader = "X-Sse-Local";

}  // namespace sse::gateway
