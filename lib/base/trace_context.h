#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sse {

/// The place of a request in a distributed trace (W3C Trace Context): 25 bytes without any allocation.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};  ///< not all zero
  std::array<std::uint8_t, 8> parent_id{};  ///< the span of the sender; not all zero
  bool sampled = false;                     ///< the sender may have recorded it

  bool operator==(const TraceContext&) const = default;
};

/// Reads the value of a `traceparent` header (W3C Trace Context §3.2.2): nullopt for any other text, which is to be
/// ignored. Of a version above 00 only the fields of version 00 are used.
std::optional<TraceContext> parse_traceparent(std::string_view text);
/// The value of the header, in version 00: 55 characters.
std::string traceparent_text(const TraceContext& context);

/// Longest `tracestate` that is passed on; W3C Trace Context §3.3.1.5 asks for at least so much.
inline constexpr std::size_t kMaxTraceState = 512;

/// Headers of a request in the form in which they are passed on: empty if there is no valid `traceparent`.
struct TraceHeaders {
  std::string traceparent{};
  std::string tracestate{};  ///< of at most kMaxTraceState printable characters; otherwise empty
};
/// The values as received; those of repeated headers joined by commas, which for `traceparent` is invalid.
TraceHeaders checked_trace_headers(std::string traceparent, std::string tracestate);

}  // namespace sse
