#pragma once

#include <memory>
#include <string>

#include "auth/authenticator.h"
#include "auth/issuer_keys.h"
#include "auth/jwt_keys.h"
#include "sse-server/authenticators.h"

namespace sse::auth {

/// How `--auth jwt` validates JSON Web Tokens, and by which clock.
struct JwtOptions : sse::JwtOptions {
  const Clock* clock = &Clock::system();  ///< outlives the authenticator
};

/// The user of a token that is valid at `now`. Throws Error(kUnauthenticated) with the reason otherwise; the error
/// contains no part of the token.
User user_of_token(const std::string& token, const JwtKeys& keys, const JwtOptions& options, WallTime now);

/// Whether the keys are those that the issuer publishes: it is a URL, and no key or secret file is given.
bool finds_keys_of_issuer(const JwtOptions& options);
IssuerKeys::Options issuer_options(const JwtOptions& options);

/// `--auth jwt`: a token from `Authorization: Bearer`, the parameter `access-token` or the cookie. Throws Error when a
/// key file cannot be used.
std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options);

/// The value of a cookie in a Cookie header; empty when absent (RFC 6265 §4.2.1).
std::string cookie_value(std::string_view header, std::string_view name);

}  // namespace sse::auth
