#pragma once

#include <cstddef>
#include <vector>

#include "event/json.h"
#include "gateway/admin_http.h"
#include "gateway/page_routes.h"
#include "hub/survey.h"

namespace sse::gateway {

/// Whom an event would reach, and why not the others that come into question.
struct Explanation {
  std::size_t receivers = 0;                ///< connections that would get it
  std::size_t total = 0;                    ///< and near misses
  event::Json list = event::Json::array();  ///< a page of them, receivers first; each as openapi.json describes
};

/// The question in the parameters: `user` (several), `token`, `channel`, `tenant`, `event`, `listening`, `size`. The
/// first kind named is whom the event is sent to; further ones are conditions. With none it is for everybody. Throws
/// Error(kInvalidArgument).
hub::Question question_of(const httplib::Request& req);

/// `services`: where else somebody who is offline in `service` may be.
Explanation explain(const std::vector<Service>& services, const Service& service, const hub::Question& question,
                    const admin::Page& page);

}  // namespace sse::gateway
