#pragma once

#include <string>

#include "base/ids.h"

namespace sse::hub {

/// A channel that a stream has joined, with retained events that its client has missed there.
struct ChannelCatchUp {
  std::string channel;
  MessageId after;     ///< the client has everything up to here; 0: nothing
  MessageId until;     ///< what was published later arrives live
  bool begun = false;  ///< a part of it has been read
  // Of the stream, for events that leave out a client or are for the streams of one tenant. Set in a ReplayRequest
  // only.
  std::string tenant{};
  std::string client{};    ///< clientId
  std::string instance{};  ///< clientInstanceId
};

}  // namespace sse::hub
