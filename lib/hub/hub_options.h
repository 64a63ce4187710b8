#pragma once

#include <chrono>
#include <cstddef>

#include "base/ids.h"
#include "hub/slice.h"
#include "net/stream.h"

namespace sse::hub {

class Observer;
class PresenceObserver;

/// Settings of the hub of one service.
struct HubOptions {
  ServiceName service;
  std::chrono::milliseconds heartbeat{15000};
  std::chrono::milliseconds reconnect_time{5000};
  std::chrono::milliseconds reconnect_jitter{0};  ///< random time, up to this, added to reconnect_time per stream
  std::size_t client_max_connections = 3;  ///< open streams of one user + clientId + origin + tenant; 0: no limit
  net::Stream::Limits stream;
  bool in_cluster = false;       ///< connect-finish contains it, and the delegate is called before a stream opens
  Observer* observer = nullptr;  ///< must outlive the hub
  PresenceObserver* presence = nullptr;  ///< likewise; null: no stream gets events about presence
  bool reports_occupied = false;         ///< the presence observer is told which channels have streams
  /// A client that acknowledges by itself gets a message again when it has not acknowledged it in this time; 0: never.
  std::chrono::milliseconds ack_timeout{30000};
  SliceLimits slice;       ///< of work for many streams
  bool resumable = false;  ///< events are retained for resuming clients: positions and order matter
};

}  // namespace sse::hub
