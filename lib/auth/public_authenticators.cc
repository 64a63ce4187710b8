// The functions of sse-server/authenticators.h, with the system's clock.
#include <utility>

#include "auth/jwt_authenticator.h"
#include "auth/webhook_authenticator.h"
#include "sse-server/authenticators.h"

namespace sse {
namespace {

template <class Internal, class Options>
Internal with_system_clock(Options options) {
  Internal internal;
  static_cast<Options&>(internal) = std::move(options);
  return internal;
}

}  // namespace

std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options) {
  return auth::make_jwt_authenticator(with_system_clock<auth::JwtOptions>(std::move(options)));
}

std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options) {
  return auth::make_webhook_authenticator(with_system_clock<auth::WebhookOptions>(std::move(options)));
}

std::unique_ptr<Authenticator> make_header_authenticator() {
  return auth::make_header_authenticator();
}

}  // namespace sse
