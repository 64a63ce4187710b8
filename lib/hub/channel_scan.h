#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "hub/connection_directory.h"

namespace sse::hub {

/// A user in a channel.
struct ChannelMember {
  std::string tenant;  ///< empty: none
  std::string user;
  std::size_t connections = 0;
  std::string profile{};  ///< JSON text, of one of the connections; empty: unknown
};

/// The streams that are in a channel.
struct ChannelStreams {
  std::vector<ChannelMember> members;  ///< by tenant and user
  std::size_t connections = 0;         ///< also those without a user
  WallTime first = WallTime::max();    ///< when the oldest of them opened
  WallTime last = WallTime::min();
};

/// Visits every stream in the channel; waits as the queries of connection_scan.h do.
ChannelStreams streams_in(const ConnectionDirectory& connections, const std::string& channel);

}  // namespace sse::hub
