#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/frame.h"

namespace sse::hub {

struct Connection;

/// The messages that were recently replayed from the store into one stream. Each may still arrive live, from the sender
/// that has just stored it, and must not reach the client twice.
///
/// Membership decides, never the order of ids: nodes of a mesh create ids from their own clocks, so that a message
/// stored later on another node may have the smaller id. 8 bytes a message. Not thread safe: belongs to the shard.
class ReplayedMessages {
 public:
  /// Adds the messages in `page`. REQUIRES: `now` never decreases.
  void add(std::span<const event::FrameRef> page, SteadyTime now);
  bool contains(MessageId message) const;
  /// Drops old entries, at an age between kPublishTime and twice that.
  void expire(SteadyTime now);
  bool empty() const { return young_.empty() && old_.empty(); }

  /// Maximum time between the commit of a message and its live arrival in the streams.
  static constexpr std::chrono::seconds kPublishTime{10};

 private:
  std::vector<MessageId> young_;  // both sorted
  std::vector<MessageId> old_;
  SteadyTime young_since_{};
};

/// Those of the streams of one shard. Loop thread only.
class ReplayedStreams {
 public:
  /// Whether the stream has got the message. Only messages actually replayed count, not all up to an id: a message
  /// missing from the page may have been stored later by another node, with a smaller id, or another stream of the
  /// recipient may have confirmed it.
  bool has(const Connection& connection, MessageId message) const;
  /// The stream gets a page.
  void note(Connection& connection, std::span<const event::FrameRef> page, SteadyTime now);
  /// Drops old entries, and those of streams that have ended. `find`: the connection, or null.
  void expire(SteadyTime now, const std::function<Connection*(ConnectionId)>& find);

 private:
  std::unordered_map<std::uint64_t, ReplayedMessages> streams_;  // by connection id
};

}  // namespace sse::hub
