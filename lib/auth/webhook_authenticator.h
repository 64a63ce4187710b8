#pragma once

#include <memory>

#include "auth/authenticator.h"
#include "sse-server/authenticators.h"

namespace sse::auth {

/// How to call the authentication service, `--auth webhook`, and by which clock answers are cached.
struct WebhookOptions : sse::WebhookOptions {
  const Clock* clock = &Clock::system();  ///< outlives the authenticator
};

/// `--auth webhook`, see sse::make_webhook_authenticator().
std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options);

}  // namespace sse::auth
