#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "sse-server/connection.h"

namespace sse::hub {

/// Why a stream is in its channel.
enum class ChannelSource : std::uint8_t {
  kLasting,   ///< by its credentials or the application, or because there is nothing to ask: as long as the stream
  kRule,      ///< by a rule, as long as there is one
  kHookRule,  ///< the application allows it, as long as a rule leaves that to the application
};

// Why a stream is not in a channel: in the API, in metrics and in the log.

/// Neither a rule nor the credentials of the user allow it.
inline constexpr std::string_view kNoChannelRule = "no-rule";
/// The application does not allow it.
inline constexpr std::string_view kChannelApplication = "application";
/// The stream is in kMaxChannels already.
inline constexpr std::string_view kTooManyChannels = "too-many";
/// The rule by which the stream had joined is gone.
inline constexpr std::string_view kChannelRevoked = "revoked";

/// Most channels that a stream may be in.
inline constexpr std::size_t kMaxChannels = 100;

/// A channel that a stream may join.
struct JoinedChannel {
  ChannelName name;
  ChannelSource source = ChannelSource::kLasting;
  /// Set: it catches up with the events that the history retains after this position; 0: with all of them. Only for
  /// streams with Connection::channel_marks, and only where the stream is not in the channel yet.
  std::optional<MessageId> after{};
};

/// What became of a JoinedChannel.
struct Subscription {
  bool in = false;     ///< the stream is in the channel
  bool fresh = false;  ///< since this request: it was not in it before
};

/// A channel that a stream wanted to join and has not.
struct RefusedChannel {
  ChannelName channel;
  std::string_view reason;  ///< one of the above
};

/// The rules for channels after they have changed.
struct ChannelReview {
  std::uint32_t version = 0;  ///< of the rules
  /// Whether a stream may stay in its channel. Runs on loop threads: quick, and thread safe. Never called with
  /// kLasting.
  std::function<bool(const Identity& who, std::string_view channel, ChannelSource source)> may_stay;
};

}  // namespace sse::hub
