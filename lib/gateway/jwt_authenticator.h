#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gateway/authenticator.h"
#include "gateway/jwt_keys.h"

namespace sse::gateway {

/// How `--auth jwt` reads JSON Web Tokens.
struct JwtOptions {
  std::string key_file;               ///< JWKS or PEM; read again by reload(). This, `secret_file`, or both
  std::string secret_file;            ///< a secret for HMAC (JwtKeys::parse_secret); read again by reload()
  std::string issuer;                 ///< `iss` must be this; empty: any
  std::vector<std::string> audience;  ///< `aud` must hold one of these; empty: a token with an `aud` is not for us
  std::string user_claim = "sub";
  std::string tenant_claim = "tenant";
  std::string token_claim = "jti";  ///< becomes the access token that sends can be addressed to
  std::string cookie;               ///< name of a cookie that may hold the token; empty: none
  std::chrono::milliseconds leeway{30'000};
  const Clock* clock = &Clock::system();  ///< outlives the authenticator
};

/// What a token says when it is good for us at `now`. Throws Error(kUnauthenticated) that says what is wrong with it,
/// but shows nothing of it.
User user_of_token(const std::string& token, const JwtKeys& keys, const JwtOptions& options, WallTime now);

/// `--auth jwt`: a token from `Authorization: Bearer`, the parameter `access-token` or the cookie. Throws Error for a
/// key file that cannot be used.
std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options);

/// The value of a cookie in a Cookie header; empty when absent (RFC 6265 §4.2.1).
std::string cookie_value(std::string_view header, std::string_view name);

}  // namespace sse::gateway
