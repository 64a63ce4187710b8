#pragma once

#include <vector>

#include "gateway/event_feed.h"
#include "gateway/page_routes.h"
#include "gateway/router.h"

namespace sse::gateway {

/// `GET /api/v1/events`: the last happenings, or with `follow=true` a stream of them. References must outlive `router`.
void add_event_routes(Router& router, const std::vector<Service>& services, const Happenings& happenings,
                      EventFeed& feed);

}  // namespace sse::gateway
