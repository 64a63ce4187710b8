#pragma once

#include <string>

#include "api/types.h"
#include "cli/app.h"
#include "command.h"

/// Pending messages, whether a server answers for them or a database file is read.
namespace sse::ctl {

/// Adds --db FILE.
void declare_db(cli::App& app, std::string& path);

/// Both in the shape of the admin API. With a `path` the SQLite file is read directly, read-only, server or not; the
/// service of the context is a filter then. Throw Error.
api::Json list_messages(Context& context, const std::string& path, const api::MessageQuery& query,
                        const api::Page& page);
api::Json show_message(Context& context, const std::string& path, MessageId id);

}  // namespace sse::ctl
