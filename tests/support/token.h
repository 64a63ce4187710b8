#pragma once

#include <string>

namespace sse::testing {

/// A JSON Web Token with HMAC-SHA256 for `--auth jwt --jwt-secret-file`, with these claims (a JSON object). Implemented
/// from RFC 7515, independently of the server.
std::string signed_token(const std::string& secret, const std::string& claims);

/// Writes a long enough secret into a file that only the current user may read; returns the secret.
std::string write_secret(const std::string& file);

}  // namespace sse::testing
