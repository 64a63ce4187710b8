#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/frame.h"

namespace sse::hub {

/// The messages that one stream was given from the store during the last moments. Each may still arrive live, from the
/// sender that has just stored it, and must not reach the client twice.
///
/// Membership decides, never the order of ids: nodes of a mesh give ids by their own clocks, so that a message stored
/// later, at another node, may have the smaller id. Eight bytes a message. Not thread safe: belongs to the shard.
class GivenMessages {
 public:
  /// Notes the messages among `page`. REQUIRES: `now` does not fall.
  void add(std::span<const event::FrameRef> page, SteadyTime now);
  bool contains(MessageId message) const;
  /// Forgets what was given long enough ago: between kPublishTime and twice as long.
  void expire(SteadyTime now);
  bool empty() const { return young_.empty() && old_.empty(); }

  /// Between the commit of a message and its arrival in the streams lies no more than this.
  static constexpr std::chrono::seconds kPublishTime{10};

 private:
  std::vector<MessageId> young_;  // both sorted
  std::vector<MessageId> old_;
  SteadyTime young_since_{};
};

}  // namespace sse::hub
