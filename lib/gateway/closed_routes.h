#pragma once

#include <vector>

#include "gateway/page_routes.h"
#include "gateway/router.h"

namespace sse::gateway {

/// `GET /api/v1/connections/closed`: why streams have ended, those that did last. Register before the route of a single
/// connection, whose pattern it fits. `services` must outlive the router.
void add_closed_routes(Router& router, const std::vector<Service>& services);

}  // namespace sse::gateway
