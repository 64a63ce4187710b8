#pragma once

#include <string_view>

#include "event/json.h"
#include "store/message_repository.h"

namespace sse::store {

/// Sets `kind`, `recipient` and, for a user of one tenant, `tenant` in the form shown to users and in the admin API;
/// masks tokens.
void put_recipient(event::Json& row, event::TargetKind kind, std::string_view name);

/// The JSON row of a pending message in listings: everything except its data.
event::Json row_of(const PendingMessage& message);

}  // namespace sse::store
