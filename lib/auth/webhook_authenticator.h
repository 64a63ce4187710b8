#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"

namespace sse::auth {

/// How to call the authentication service, `--auth webhook`.
struct WebhookOptions {
  std::string url;
  std::chrono::milliseconds timeout{3000};
  std::chrono::milliseconds cache{10'000};  ///< how long an answer is cached; 0: not at all
  const Clock* clock = &Clock::system();    ///< outlives the authenticator
  /// Page parameters that are passed on to the authentication service.
  std::vector<std::string> parameters{"access-token", "userId", "tenantId"};
};

/// `--auth webhook`: POSTs `{"parameters":{…},"address":…,"origin":…}` with the page's Cookie and Authorization
/// headers. A 2xx answer `{"user":…,"tenant":…,"token":…,"profile":…}` describes the user; 401 and 403 refuse the
/// request. Any other answer or a timeout throws Error(kUnavailable), so that the page gets 503 and retries later.
/// Throws Error when the URL is invalid.
std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options);

}  // namespace sse::auth
