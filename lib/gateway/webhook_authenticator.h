#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gateway/authenticator.h"

namespace sse::gateway {

/// How `--auth webhook` asks.
struct WebhookOptions {
  std::string url;
  std::chrono::milliseconds timeout{3000};
  std::chrono::milliseconds cache{10'000};  ///< how long an answer is believed; 0: it is asked every time
  const Clock* clock = &Clock::system();    ///< outlives the authenticator
  /// Parameters of a page that are passed on, and so may decide.
  std::vector<std::string> parameters{"access-token", "userId", "tenantId"};
};

/// `--auth webhook`: POSTs `{"parameters":{…},"address":…,"origin":…}` with the page's Cookie and Authorization
/// headers; a 2xx answer `{"user":…,"tenant":…,"token":…,"profile":…}` is the user, 401 and 403 say no. Anything else,
/// or none in time: Error(kUnavailable), so that the page gets 503 and comes back later. Throws Error for a URL that is
/// none.
std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options);

}  // namespace sse::gateway
