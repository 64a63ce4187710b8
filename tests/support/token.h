#pragma once

#include <string>

namespace sse::testing {

/// A JSON Web Token of HMAC-SHA256 for `--auth jwt --jwt-secret-file`, with these claims (a JSON object). Written from
/// RFC 7515, not with the code of the server.
std::string signed_token(const std::string& secret, const std::string& claims);

/// Writes a secret of enough bytes into a file that only this user may read; returns it.
std::string write_secret(const std::string& file);

}  // namespace sse::testing
