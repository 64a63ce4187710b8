#pragma once

#include <vector>

#include "admin/event_feed.h"
#include "application/service.h"
#include "net/router.h"

namespace sse::admin {

/// `GET /api/v1/events`: the last activity events, or with `follow=true` a stream of them. References must outlive
/// `router`.
void add_event_routes(net::Router& router, const std::vector<application::Service>& services,
                      const application::ActivityLog& activity_log, EventFeed& feed);

}  // namespace sse::admin
