#pragma once

#include "api/types.h"
#include "cli/app.h"

namespace sse::ctl {

/// Adds --kind, --recipient, --tenant and --event, which select pending messages or dead letters.
void declare_filter(cli::App& app, api::MessageQuery& query);
/// For commands that delete: throws Error(kInvalidArgument) unless either a filter option or --all is given.
void require_choice(const api::MessageQuery& query, bool all, const char* verb);

}  // namespace sse::ctl
