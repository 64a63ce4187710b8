#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace sse::net {

/// Begins to connect a non-blocking socket with TCP_NODELAY to a numeric address. When the socket is writable, its
/// SO_ERROR tells whether it is connected. Returns no socket and sets `why` when that fails at once.
UniqueFd begin_connect(const std::string& address, std::uint16_t port, std::string& why);

}  // namespace sse::net
