#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sse::gateway {

/// RFC 4648 §5 without padding, as RFC 7515 §2 wants it; nullopt for anything else, unused bits that are set included.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace sse::gateway
