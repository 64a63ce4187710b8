#pragma once

#include <vector>

#include "application/service.h"
#include "net/router.h"

namespace sse::admin {

/// `GET /api/v1/connections/closed`: the recently closed streams with their close reasons. Register it before the route
/// of a single connection, whose pattern also matches this path. `services` must outlive the router.
void add_closed_routes(net::Router& router, const std::vector<application::Service>& services);

}  // namespace sse::admin
