#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "presence/member.h"

namespace sse::presence {

/// A channel of a service.
using ChannelKey = std::pair<std::string, std::string>;

/// A node tells another one which channels it watches: it wants to know the members there.
struct WatchMessage {
  bool all = false;     ///< these, and no others
  bool ask = false;     ///< it wants such a message with all channels in return
  bool watches = true;  ///< false: it watches these no longer
  std::vector<ChannelKey> channels{};
};

/// The members of a channel on one node, for a node that watches it.
struct MembersMessage {
  ChannelKey channel;
  RosterUpdate update;
};

/// The most channels, or listed members, in a message of another node. A node follows at most so many channels.
inline constexpr std::size_t kMaxPeerNames = 200'000;
inline constexpr std::size_t kMaxPeerMembers = 20'000;
/// The most members of a channel that one may have without listing them.
inline constexpr std::size_t kMaxPeerCount = 1'000'000;

/// JSON; fields that a reader does not know are ignored.
std::string encode(const WatchMessage& message);
std::string encode(const MembersMessage& message);
using PeerMessage = std::variant<WatchMessage, MembersMessage>;
/// Throws Error(kInvalidArgument) for what no node sends.
PeerMessage decode_peer_message(std::string_view bytes);

}  // namespace sse::presence
