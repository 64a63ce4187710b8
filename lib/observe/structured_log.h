#pragma once

#include "observe/log.h"

namespace sse::observe {

/// As log_enabled(), but false for a log of text: for lines that programs search, and that may be as frequent as
/// events.
///
/// In JSON, fields named `trace_id`, `span_id` and `trace_flags` stand beside the message, where OpenTelemetry's
/// conventions for logs in other formats put them.
bool structured_log_enabled(Level level);

}  // namespace sse::observe
