#pragma once

#include <string>

namespace sse::auth {

/// Returns the HMAC-SHA-256 (RFC 2104) of `text` in lower-case hexadecimal digits. Throws Error(kInternal) when OpenSSL
/// fails.
std::string hmac_sha256_hex(const std::string& key, const std::string& text);

}  // namespace sse::auth
