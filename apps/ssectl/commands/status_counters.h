#pragma once

#include <string>

#include "api/types.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

/// The counters of a `status` response as a table for people: what happened since the start, in all and a second on
/// average. Lines of services are summed; a problem has a line only if it has occurred. Empty for a response without
/// counters.
std::string status_counters(const api::Json& status, const TableStyle& style);

}  // namespace sse::ctl
