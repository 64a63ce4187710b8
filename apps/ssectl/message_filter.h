#pragma once

#include <string>
#include <vector>

#include "api/types.h"
#include "base/ids.h"
#include "cli/app.h"
#include "command.h"

namespace sse::ctl {

/// --kind, --recipient and --event.
void declare_filter(cli::App& app, api::MessageQuery& query);
/// The same for commands that destroy: one of them, or --all, must be given. Throws Error(kInvalidArgument) otherwise.
void require_choice(const api::MessageQuery& query, bool all, const char* verb);
/// Ids of messages, checked.
std::vector<MessageId> message_ids(const std::vector<std::string>& texts);

}  // namespace sse::ctl
