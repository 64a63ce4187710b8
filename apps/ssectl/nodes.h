#pragma once

#include <string>

#include "api/types.h"
#include "output.h"
#include "table.h"

namespace sse::ctl {

/// The nodes of an answer, a row each, and what they hold together.
std::string nodes_table(const api::Json& answer, const Look& look);

/// Says on standard error that the cluster is degraded; whether it is.
bool note_degraded(const api::Json& answer, Output& out);

}  // namespace sse::ctl
