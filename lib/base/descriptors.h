#pragma once

#include <cstddef>

namespace sse {

/// Raises the soft limit of open descriptors of this process to the hard limit and returns the resulting limit. The
/// soft limit exists for programs that use select(2), which no program here does.
std::size_t raise_descriptor_limit();

}  // namespace sse
