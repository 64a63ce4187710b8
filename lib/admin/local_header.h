#pragma once

namespace sse::admin {

/// Header of an admin API request that the receiving node handles alone instead of for the whole cluster.
inline constexpr const char* kLocalHeader = "X-Sse-Local";

}  // namespace sse::admin
