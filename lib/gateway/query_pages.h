#pragma once

#include <string>

#include "delivery/message_repository.h"
#include "event/json.h"
#include "gateway/page_routes.h"

namespace sse::gateway {

/// `data` of the answer to `P/connect/<what>.json` for pages (PROTOCOL.md, "Query endpoints"): a page of the users,
/// connections or repositoryMessages of the service. Any page of a known user may ask, about everybody: that is why
/// they are off by default. Secrets are masked, and what pending messages say is not shown; the clientId, with which a
/// client without credentials says goodbye, is masked but for the streams of `asker`.
///
/// As with the Java library a `pageNum` below 1 means the first page, a page past the end is empty, and a `pageSize`
/// below 1 gives the total alone; sizes over 10000 are cut to that. `timeout` and `cluster` are for the answers of
/// other nodes. Throws Error(kInvalidArgument) for what is no number. REQUIRES: `what` is one of the three.
event::Json query_page(const Service& service, delivery::MessageCatalog& catalog, const std::string& server_id,
                       const std::string& what, const httplib::Request& req, const hub::Identity& asker);

}  // namespace sse::gateway
