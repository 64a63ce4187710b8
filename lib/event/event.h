#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sse::event {

/// One server-sent event before it is encoded.
struct Event {
  std::string name;  ///< event type; empty: the browser's default, "message"
  std::string data;  ///< any valid UTF-8; CR, LF and CRLF all count as line breaks
  std::string id;    ///< empty: no `id:` line
  std::optional<std::chrono::milliseconds> retry;
};

/// Event types the server itself sends (PROTOCOL.md, "Opening the stream").
inline constexpr std::string_view kConnectFinish = "connect-finish";
inline constexpr std::string_view kConnectClose = "connect-close";
inline constexpr std::string_view kSetDuration = "sse-set-duration";
/// To a client whose last event id is older than what is kept: it has missed something for good.
inline constexpr std::string_view kResync = "resync";

/// What a comment line looks like on the wire; keeps proxies and dead-peer detection going (WHATWG HTML 9.2.7).
inline constexpr std::string_view kHeartbeat = ":\n\n";

/// Throws Error(kInvalidArgument) when the name or id holds a line break or NUL (they cannot be carried, WHATWG HTML
/// 9.2.6), or when any field is not valid UTF-8 (the stream is UTF-8 by definition).
void validate(const Event& event);

/// The id in an encoded event, if it is one of ours (parse_id); 0 otherwise.
std::uint64_t id_of(std::string_view encoded);

/// The event in stream form (WHATWG HTML 9.2.5), blank line included: `id`, `retry`, `event`, then `data` lines.
/// REQUIRES: validate(event) passed.
std::string encode(const Event& event);

/// A block of nothing but an id: the client dispatches no event, and comes back with this id (WHATWG HTML 9.2.6: the
/// last event id is set before an empty data buffer ends the dispatch).
std::string encode_cursor(std::string_view id);

}  // namespace sse::event
