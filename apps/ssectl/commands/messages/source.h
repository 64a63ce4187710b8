#pragma once

#include <string>

#include "api/types.h"
#include "cli/app.h"
#include "ssectl/context/context.h"

/// Access to pending messages for the commands, through a server or directly in a database file.
namespace sse::ctl {

/// Adds --db FILE, which makes a command read pending messages from the SQLite file of a server.
void declare_db(cli::App& app, std::string& path);

/// Both return JSON in the form of the admin API. With a `path` they read the SQLite file directly and read-only,
/// whether or not a server runs; the context's service is then a filter. Throw Error.
api::Json list_messages(Context& context, const std::string& path, const api::MessageQuery& query,
                        const api::Page& page);
api::Json show_message(Context& context, const std::string& path, MessageId id);

}  // namespace sse::ctl
