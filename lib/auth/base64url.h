#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sse::auth {

/// Encodes as base64url (RFC 4648 §5) without padding.
std::string base64url_encode(std::string_view bytes);

/// Decodes base64url (RFC 4648 §5) without padding, as in RFC 7515 §2; nullopt for any other text, also when unused
/// bits are set.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace sse::auth
