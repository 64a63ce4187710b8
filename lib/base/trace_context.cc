#include "base/trace_context.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "base/hex.h"

namespace sse {
namespace {

constexpr std::size_t kTraceparentSize = 55;
constexpr std::uint8_t kSampled = 1;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  // Upper case is invalid.
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// `text` has two digits for each byte.
bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!read_hex(text.substr(0, 2), version) || !read_hex(text.substr(3, 32), context.trace_id) ||
      !read_hex(text.substr(36, 16), context.parent_id) || !read_hex(text.substr(53, 2), flags))
    return std::nullopt;
  if (version[0] == 0xFF || is_zero(context.trace_id) || is_zero(context.parent_id)) return std::nullopt;
  // A later version may append fields.
  if (text.size() > kTraceparentSize && (version[0] == 0 || text[kTraceparentSize] != '-')) return std::nullopt;
  context.sampled = (flags[0] & kSampled) != 0;
  return context;
}

std::string traceparent_text(const TraceContext& context) {
  return "00-" + to_hex(context.trace_id) + '-' + to_hex(context.parent_id) + (context.sampled ? "-01" : "-00");
}

TraceHeaders checked_trace_headers(std::string traceparent, std::string tracestate) {
  TraceHeaders headers;
  if (!parse_traceparent(traceparent)) return headers;
  headers.traceparent = std::move(traceparent);
  const bool good = tracestate.size() <= kMaxTraceState &&
                    std::ranges::all_of(tracestate, [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
  if (good) headers.tracestate = std::move(tracestate);
  return headers;
}

}  // namespace sse
