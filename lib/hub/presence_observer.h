#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"

namespace sse::hub {

/// What one stream of a user did in a channel whose presence is followed.
struct PresenceChange {
  enum class Kind : unsigned char {
    kJoined,
    kLeft,
    kHidden,  ///< it left because its page is hidden (see kHiddenGoodbye)
  };
  Kind kind = Kind::kJoined;
  std::string user;
  std::string tenant;
  std::string profile{};  ///< of kJoined: JSON text about the user that contains a field `presence`; empty: none
};

/// The changes in one channel on one shard, in their order.
struct PresenceReport {
  std::string channel;
  std::uint64_t round = 0;  ///< of the Hub::follow_presence() that it belongs to
  std::vector<PresenceChange> changes;
  bool complete = false;  ///< all streams of the shard that were in the channel before are reported now
};

/// An event about the presence in a channel, for the streams that watch it.
struct PresenceFrame {
  event::FrameRef frame;
  std::uint64_t version = 0;  ///< above those of all earlier events of the channel
  bool is_snapshot = false;   ///< for the streams that have had none; other events are for those that have
};

/// How a stream came to watch the presence in a channel.
enum class Watch : unsigned char {
  kNew,      ///< no other stream of its shard does, and the shard does not report the channel
  kFurther,  ///< one of both is not so
  kAgain,    ///< it did so before
};

/// Why a stream does not watch a channel that it is in: too many are followed.
inline constexpr std::string_view kPresenceLimit = "presence-limit";

/// The reason in the goodbye (`disconnect.do`) of a page that closes its stream because it is hidden.
inline constexpr const char* kHiddenGoodbye = "visibilitychange";

/// Gets what the shards of a service report about the presence in channels. Called on loop threads: must be quick, and
/// must not block, throw or call back into the hub synchronously.
class PresenceObserver {
 public:
  /// A stream watches the presence in the channel and waits for a snapshot; returns null. Or it does not, with
  /// Watch::kNew only, because too many channels are followed: returns the event that tells it so.
  virtual event::FrameRef watched(const ServiceName& service, const std::string& channel, Watch how) = 0;
  /// It does so no longer.
  virtual void unwatched(const ServiceName& service, const std::string& channel) = 0;
  virtual void changed(const ServiceName& service, PresenceReport report) = 0;
  /// Only with HubOptions::reports_occupied. The first stream of a shard is in the channel, or the last one has left.
  virtual void occupied(const ServiceName& service, const std::string& channel, bool occupied) = 0;

 protected:
  ~PresenceObserver() = default;
};

}  // namespace sse::hub
