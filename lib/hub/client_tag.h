#pragma once

#include <cstdint>
#include <string_view>

namespace sse::hub {

/// The parameters that name the client of a stream: all windows of a browser have one clientId, and each page of them
/// an instance of its own.
inline constexpr const char* kClientId = "clientId";
inline constexpr const char* kClientInstanceId = "clientInstanceId";

/// One byte of such an id, which tells most clients apart; 0 for none. A connection has it beside the packed
/// attributes, so that an event for all clients but one unpacks those of few streams.
std::uint8_t client_tag(std::string_view id);

}  // namespace sse::hub
