#pragma once

#include <string>

#include "api/types.h"
#include "base/ids.h"

/// Reads pending messages from a SQLite file, read-only and without a server, in the form of the admin API.
namespace sse::ctl {

/// Lists the pending messages in a server's SQLite file, in the form of the admin API. Throws Error if the file cannot
/// be opened or is not a database of sse-serve.
api::Json list_file(const std::string& path, const api::MessageQuery& query, const api::Page& page);

/// Returns one message as `{"list": […]}` with its data; the list is empty if the message is not pending. An empty
/// `service` matches all services.
api::Json show_file(const std::string& path, const ServiceName& service, MessageId id);

}  // namespace sse::ctl
