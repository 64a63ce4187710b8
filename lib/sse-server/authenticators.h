#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sse-server/authenticator.h"
#include "sse-server/export.h"

namespace sse {

/// How JSON Web Tokens are validated. Like `sse-serve --auth jwt`, whose manual page lists the algorithms.
struct JwtOptions {
  /// JWKS or PEM; read again by Authenticator::reload(). Required: this, `secret_file`, both, or an `issuer` with
  /// `https://`, whose keys are then found by OpenID Connect Discovery.
  std::string key_file;
  std::string secret_file;              ///< a secret for HMAC; read again by Authenticator::reload()
  std::string issuer;                   ///< required value of `iss`; empty: any
  std::string issuer_ca_file;           ///< PEM certificates to trust when its keys are read; empty: the system's
  std::vector<std::string> audience;    ///< `aud` must contain one of these; empty: tokens with an `aud` are refused
  std::string user_claim = "sub";       ///< becomes the user id
  std::string tenant_claim = "tenant";  ///< becomes the tenant
  std::string token_claim = "jti";      ///< becomes the access token that sends can be addressed to
  /// A list of names and patterns of channels that the user may join; empty: no claim is read.
  std::string channels_claim = "channels";
  /// The same for channels to which pages of the user may publish.
  std::string publish_claim = "publish";
  std::string cookie;                        ///< name of a cookie that may contain the token; empty: none
  std::chrono::milliseconds leeway{30'000};  ///< for clocks that differ
};

/// A token from `Authorization: Bearer`, the parameter `access-token` or the cookie. Throws Error when a key file
/// cannot be used. With the keys of an issuer it may wait for a response and so needs
/// ServerOptions::authentication_blocks.
SSE_API std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options);

/// How to call an authentication service, like `sse-serve --auth webhook`.
struct WebhookOptions {
  std::string url;                          ///< `http://…` or `https://…`
  std::chrono::milliseconds timeout{3000};  ///< of one call
  std::chrono::milliseconds cache{10'000};  ///< how long an answer is cached; 0: not at all
  /// Page parameters that are passed on to the authentication service.
  std::vector<std::string> parameters{"access-token", "userId", "tenantId"};
};

/// POSTs `{"parameters":{…},"address":…,"origin":…}` with the page's Cookie and Authorization headers. A 2xx answer
/// `{"user":…,"tenant":…,"token":…,"profile":…,"channels":[…],"publish":[…]}` describes the user; 401 and 403 refuse
/// the request. Any other answer or a timeout throws Error(kUnavailable), so that the page gets 503 and retries later.
/// Throws Error when the URL is invalid. Needs ServerOptions::authentication_blocks.
SSE_API std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options);

/// Trusts the headers X-Sse-User, X-Sse-Tenant, X-Sse-Token, X-Sse-Channels and X-Sse-Publish (User::channels and
/// User::publish, separated by commas) of one of ServerOptions::trusted_proxies. The proxy authenticates the user and
/// must remove all five from the requests of clients.
SSE_API std::unique_ptr<Authenticator> make_header_authenticator();

}  // namespace sse
