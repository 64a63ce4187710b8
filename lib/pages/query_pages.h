#pragma once

#include <functional>
#include <string>

#include "application/service.h"
#include "event/json.h"
#include "hub/connection.h"
#include "pages/page_routes.h"
#include "store/message_repository.h"

namespace sse::pages {

/// The user that asks for a query page.
struct QueryRequester {
  const hub::Identity& identity;
  /// Whether this user may know the streams of a channel and the messages that are pending for it.
  std::function<bool(const std::string& channel)> may_read;
};

/// Returns `data` of the response to `P/connect/<what>.json` for pages (PROTOCOL.md, "Query endpoints"): a page of the
/// users, connections or repositoryMessages of the service. Any authenticated user may query all users, so these
/// endpoints are disabled by default. Secrets are masked, and the data of pending messages is omitted. The clientId,
/// with which a client without credentials disconnects, is masked except for the streams of `requester`, and names of
/// channels that it may not join are left out.
///
/// Paging is as in the Java library: a `pageNum` below 1 means the first page, a page past the end is empty, and a
/// `pageSize` below 1 returns only the total; sizes above 10000 are reduced to 10000. `timeout` and `cluster` concern
/// the replies of other nodes. Throws Error: kInvalidArgument for values that are not numbers, kPermissionDenied for a
/// `channel` that the requester may not join. REQUIRES: `what` is one of the three.
event::Json query_page(const application::Service& service, store::MessageCatalog& catalog,
                       const std::string& server_id, const std::string& what, const httplib::Request& req,
                       const QueryRequester& requester);

}  // namespace sse::pages
