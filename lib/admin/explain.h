#pragma once

#include <cstddef>
#include <vector>

#include "admin/admin_http.h"
#include "application/service.h"
#include "event/json.h"
#include "hub/connection_scan.h"

namespace sse::admin {

/// Which connections would get an event, and why other candidates would not.
struct Explanation {
  std::size_t receivers = 0;                ///< connections that would get the event
  std::size_t total = 0;                    ///< receivers and other candidates
  event::Json list = event::Json::array();  ///< a page of them, receivers first; see openapi.json
};

/// Reads the query from the parameters `user` (repeatable), `token`, `channel`, `tenant`, `event`, `listening` and
/// `size`. The event is for the first kind of these that is given; further kinds are conditions. Without any it is for
/// all connections. Throws Error(kInvalidArgument).
hub::MatchQuery match_query_of(const httplib::Request& req);

/// `services`: also searched for names that are offline in `service`.
Explanation explain(const std::vector<application::Service>& services, const application::Service& service,
                    const hub::MatchQuery& query, const Page& page);

}  // namespace sse::admin
