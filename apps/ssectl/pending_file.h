#pragma once

#include <string>

#include "api/types.h"
#include "base/ids.h"

/// The pending messages in a SQLite file, read-only and without a server, in the shape of the admin API.
namespace sse::ctl {

/// A MessagePage. Throws Error when the file cannot be opened or is no database of ours.
api::Json list_file(const std::string& path, const api::MessageQuery& query, const api::Page& page);

/// `{"list": […]}` with data; an empty list when no such message is pending. An empty `service` matches all.
api::Json show_file(const std::string& path, const ServiceName& service, MessageId id);

}  // namespace sse::ctl
