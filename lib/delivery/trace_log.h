#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "base/trace_context.h"

namespace sse::delivery {

/// What a log line about a traced event names.
struct TracedEvent {
  const ServiceName& service;
  std::string_view event;
  MessageId id;
  std::optional<std::uint64_t> delivered{};  ///< streams
  ConnectionId connection{};
};

/// Whether there is a log for lines about events of this trace: one of JSON, or of the embedding program, at level info
/// if the trace is sampled, else at level debug. Cheap; to be asked first.
bool traces(const TraceContext& context);
/// Writes a line with `trace_id`, `span_id` and `trace_flags`, as OpenTelemetry names them: the span is that of the
/// sender.
void log_trace(const TraceContext& context, std::string_view message, const TracedEvent& about);

}  // namespace sse::delivery
