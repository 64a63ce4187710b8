#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "auth/jwt_keys.h"

namespace sse::auth {

/// How `--auth jwt` validates JSON Web Tokens.
struct JwtOptions {
  std::string key_file;               ///< JWKS or PEM; read again by reload(). Required: this, `secret_file`, or both
  std::string secret_file;            ///< a secret for HMAC (JwtKeys::parse_secret); read again by reload()
  std::string issuer;                 ///< required value of `iss`; empty: any
  std::vector<std::string> audience;  ///< `aud` must contain one of these; empty: tokens with an `aud` are refused
  std::string user_claim = "sub";
  std::string tenant_claim = "tenant";
  std::string token_claim = "jti";  ///< becomes the access token that sends can be addressed to
  std::string cookie;               ///< name of a cookie that may contain the token; empty: none
  std::chrono::milliseconds leeway{30'000};
  const Clock* clock = &Clock::system();  ///< outlives the authenticator
};

/// The user of a token that is valid at `now`. Throws Error(kUnauthenticated) with the reason otherwise; the error
/// contains no part of the token.
User user_of_token(const std::string& token, const JwtKeys& keys, const JwtOptions& options, WallTime now);

/// `--auth jwt`: a token from `Authorization: Bearer`, the parameter `access-token` or the cookie. Throws Error when a
/// key file cannot be used.
std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options);

/// The value of a cookie in a Cookie header; empty when absent (RFC 6265 §4.2.1).
std::string cookie_value(std::string_view header, std::string_view name);

}  // namespace sse::auth
