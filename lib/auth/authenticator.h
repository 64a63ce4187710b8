#pragma once

#include <memory>

#include "base/clock.h"
#include "sse-server/authenticator.h"

namespace sse::auth {

using sse::Authenticator;
using sse::kMaxProfileBytes;
using sse::PageRequest;
using sse::User;

/// `--auth demo`: trusts the parameters `userId` (default "1"), `tenantId`, `access-token`, `name`. For a developer's
/// own machine only.
std::unique_ptr<Authenticator> make_demo_authenticator();

/// `--auth header`, see sse::make_header_authenticator().
std::unique_ptr<Authenticator> make_header_authenticator();

}  // namespace sse::auth
