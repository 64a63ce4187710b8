#pragma once

#include <optional>

#include "base/trace_context.h"
#include "net/request_head.h"

namespace httplib {
struct Request;
}  // namespace httplib

namespace sse::net {

/// The trace context of a request (W3C Trace Context §3.2); nullopt if it has none, an invalid one or several.
std::optional<TraceContext> trace_context(const RequestHead& head);
std::optional<TraceContext> trace_context(const httplib::Request& request);
/// Its headers, to pass them on unchanged: empty without a valid `traceparent`.
TraceHeaders trace_headers(const httplib::Request& request);

}  // namespace sse::net
