#include "net/trace_header.h"

#include <cstddef>
#include <string>

#include "net/httplib_app.h"

namespace sse::net {
namespace {

// Several field lines are one value (RFC 9110 §5.3).
std::string all_of(const httplib::Request& request, const char* name) {
  std::string all;
  for (std::size_t i = 0; i < request.get_header_value_count(name); ++i) {
    if (i > 0) all += ',';
    all += request.get_header_value(name, i);
  }
  return all;
}

}  // namespace

std::optional<TraceContext> trace_context(const RequestHead& head) {
  // Without a copy for the many requests that have none.
  if (header_value(head, "traceparent").empty()) return std::nullopt;
  return parse_traceparent(joined_header(head, "traceparent"));
}

std::optional<TraceContext> trace_context(const httplib::Request& request) {
  return parse_traceparent(all_of(request, "traceparent"));
}

TraceHeaders trace_headers(const httplib::Request& request) {
  return checked_trace_headers(all_of(request, "traceparent"), all_of(request, "tracestate"));
}

}  // namespace sse::net
