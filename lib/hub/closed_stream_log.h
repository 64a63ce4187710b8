#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "net/stream.h"

namespace sse::hub {

/// A stream that has ended, with the reason, for diagnosis (ssectl, admin API).
struct ClosedConnection {
  ConnectionId id;
  UserId user;
  TenantId tenant;
  std::vector<ChannelName> channels;
  std::string address;
  net::CloseReason reason = net::CloseReason::kClientClosed;
  WallTime created;
  WallTime closed;
  std::uint64_t messages = 0;       ///< events appended to the stream
  std::uint64_t bytes_sent = 0;     ///< accepted by the socket
  std::uint64_t backlog_bytes = 0;  ///< still queued at the end
};

/// The streams of one shard that ended last, bounded in number and in bytes. Loop thread only.
class ClosedStreamLog {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;

  explicit ClosedStreamLog(std::size_t max_streams) : max_(max_streams) {}

  void add(ClosedConnection closed) {
    if (max_ == 0) return;
    bytes_ += bytes_of(closed);
    entries_.push_back(std::move(closed));
    while (entries_.size() > max_ || bytes_ > kMaxBytes) {
      bytes_ -= bytes_of(entries_.front());
      entries_.pop_front();
    }
  }
  /// Oldest first.
  const std::deque<ClosedConnection>& entries() const { return entries_; }

 private:
  static std::size_t bytes_of(const ClosedConnection& closed) {
    std::size_t bytes = sizeof closed + closed.user.str().size() + closed.tenant.str().size() + closed.address.size();
    for (const ChannelName& channel : closed.channels) bytes += sizeof channel + channel.str().size();
    return bytes;
  }

  const std::size_t max_;
  std::deque<ClosedConnection> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
