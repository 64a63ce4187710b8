#pragma once

#include <string_view>

#include "delivery/message_repository.h"
#include "event/json.h"

namespace sse::delivery {

/// Sets `kind`, `recipient` and, for a user of one tenant, `tenant` as people and the admin API have them; a token is
/// masked.
void put_recipient(event::Json& row, event::TargetKind kind, std::string_view name);

/// What a list of pending messages shows of one: all but its data.
event::Json row_of(const PendingMessage& message);

}  // namespace sse::delivery
