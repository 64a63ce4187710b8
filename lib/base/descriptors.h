#pragma once

#include <cstddef>

namespace sse {

/// Raises this process' soft limit of open descriptors to the hard one and returns what then holds. The soft limit is
/// a courtesy to programs that use select(2), which none of ours does.
std::size_t raise_descriptor_limit();

}  // namespace sse
