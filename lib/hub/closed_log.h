#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "net/stream.h"

namespace sse::hub {

/// A stream that has ended: what somebody asks who wonders why.
struct ClosedConnection {
  ConnectionId id;
  UserId user;
  TenantId tenant;
  ChannelName channel;
  std::string address;
  net::CloseReason reason = net::CloseReason::kClientClosed;
  WallTime created;
  WallTime closed;
  std::uint64_t messages = 0;    ///< events taken into the stream
  std::uint64_t bytes_sent = 0;  ///< that the socket took
  std::uint64_t owed_bytes = 0;  ///< that it did not
};

/// The streams of one shard that ended last, at most so many. Loop thread only.
class ClosedLog {
 public:
  explicit ClosedLog(std::size_t most) : most_(most) {}

  void add(ClosedConnection closed) {
    if (most_ == 0) return;
    if (entries_.size() >= most_) entries_.pop_front();
    entries_.push_back(std::move(closed));
  }
  /// Oldest first.
  const std::deque<ClosedConnection>& entries() const { return entries_; }

 private:
  const std::size_t most_;
  std::deque<ClosedConnection> entries_;
};

}  // namespace sse::hub
