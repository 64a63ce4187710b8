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

/// The streams of one shard that ended last, at most so many, and so many bytes. Loop thread only.
class ClosedLog {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;

  explicit ClosedLog(std::size_t most) : most_(most) {}

  void add(ClosedConnection closed) {
    if (most_ == 0) return;
    bytes_ += bytes_of(closed);
    entries_.push_back(std::move(closed));
    while (entries_.size() > most_ || bytes_ > kMaxBytes) {
      bytes_ -= bytes_of(entries_.front());
      entries_.pop_front();
    }
  }
  /// Oldest first.
  const std::deque<ClosedConnection>& entries() const { return entries_; }

 private:
  static std::size_t bytes_of(const ClosedConnection& closed) {
    return sizeof closed + closed.user.str().size() + closed.tenant.str().size() + closed.channel.str().size() +
           closed.address.size();
  }

  const std::size_t most_;
  std::deque<ClosedConnection> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
