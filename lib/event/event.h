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

/// The event types that the server itself sends (PROTOCOL.md, "Opening the stream").
inline constexpr std::string_view kConnectFinish = "connect-finish";
inline constexpr std::string_view kConnectClose = "connect-close";
/// A sign of life for clients that request it (`ping=1`): an event, because an EventSource does not show comments.
inline constexpr std::string_view kPing = "sse-ping";
/// Before the end of a stream whose client is to reconnect, for clients that request it (`ends=1`).
inline constexpr std::string_view kStreamEnd = "sse-end";
inline constexpr std::string_view kSetDuration = "sse-set-duration";
/// The stream is not, or no longer, in a channel that its client asked for.
inline constexpr std::string_view kChannelRefused = "sse-channel-refused";
/// A mark before an event that was sent to a channel, for clients that request marks (`channelMarks=1`).
inline constexpr std::string_view kChannelMark = "sse-channel";
/// About the members of a channel, for streams that watch them: all, those that have joined, those that have left.
inline constexpr std::string_view kPresence = "sse-presence";
inline constexpr std::string_view kPresenceJoin = "sse-join";
inline constexpr std::string_view kPresenceLeave = "sse-leave";
/// Sent to a client whose last event id is older than the retained history: some events are lost for it.
inline constexpr std::string_view kResync = "resync";

/// A comment line on the wire, which keeps proxies and dead-peer detection active (WHATWG HTML 9.2.7).
inline constexpr std::string_view kHeartbeat = ":\n\n";

/// Throws Error(kInvalidArgument) when the name or id contains a line break or NUL (the format cannot carry them,
/// WHATWG HTML 9.2.6), or when a field is not valid UTF-8 (the encoding of event streams).
void validate(const Event& event);

/// Whether an encoded event has a kChannelMark before it.
bool has_channel_mark(std::string_view encoded);
/// The id of an encoded event when parse_id() accepts it; 0 otherwise. A kChannelMark before it is skipped.
std::uint64_t id_of(std::string_view encoded);

/// The name of an encoded event; empty when it has none.
std::string_view name_of(std::string_view encoded);

/// Encodes the event as a stream block (WHATWG HTML 9.2.5), blank line included: `id`, `retry`, `event`, then `data`
/// lines.
/// REQUIRES: validate(event) passed.
std::string encode(const Event& event);

/// A block with only an id: the client dispatches no event, but reconnects with this id (WHATWG HTML 9.2.6: the last
/// event id is set before an empty data buffer ends the dispatch).
std::string encode_cursor(std::string_view id);

}  // namespace sse::event
