#pragma once

#include <functional>

#include "net/router.h"

namespace sse::net {

/// Registers `/healthz`, 200 while the process works, and `/readyz`, 200 or, when `ready` returns false, 503, as
/// Kubernetes and load balancers ask for them. `ready` runs on the threads that handle requests.
void add_health_routes(Router& router, std::function<bool()> ready);

}  // namespace sse::net
