#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "hub/connection.h"
#include "hub/connection_registry.h"
#include "hub/hub_options.h"
#include "hub/presence_observer.h"
#include "net/event_loop.h"

namespace sse::hub {

/// The part of presence that belongs to the streams of one shard: reports who joins and leaves the channels that are
/// followed, and sends events to the streams that watch them. A channel that is not followed costs a look into an empty
/// table for each join. Both the report about a large channel and an event to many streams are worked off in slices, as
/// tasks of the loop. Loop thread only.
class ShardPresence {
 public:
  /// References must outlive this. `append` queues a frame for a stream.
  ShardPresence(net::EventLoop& loop, const HubOptions& options, ConnectionRegistry& registry,
                std::function<void(Connection&, const event::FrameRef&)> append);
  ShardPresence(const ShardPresence&) = delete;
  ShardPresence& operator=(const ShardPresence&) = delete;

  /// The stream has joined a channel.
  void joined(const Connection& connection, std::string_view channel);
  /// The stream is about to leave a channel, which it then does not watch either.
  void leaving(Connection& connection, std::string_view channel);
  /// The stream is about to leave all channels. `hidden`: its page has said so in its goodbye.
  void leaving_all(Connection& connection, bool hidden);
  /// The stream watches a channel that it is in, and gets a snapshot first. One that watches it already gets
  /// another snapshot. Returns false if it is told that it may not, because too many channels are followed.
  bool watch(Connection& connection, const std::string& channel);

  /// Reports all streams in the channel, and then changes, until unfollow(). `round`: for the reports.
  void follow(const std::string& channel, std::uint64_t round);
  void unfollow(const std::string& channel);
  void send(const std::string& channel, PresenceFrame frame);

  /// At the end of a turn of the loop: reports what has changed in it.
  void report();

 private:
  struct Followed {
    std::uint64_t round = 0;
    std::unordered_set<std::uint64_t> unreported{};  // ids of streams that were there before; not empty: being reported
    bool completed = false;
    std::vector<PresenceChange> changes{};
  };
  struct Watchers {
    std::map<std::uint64_t, std::uint64_t> versions;  // by connection id: of its last event; 0: it had no snapshot
    std::vector<PresenceFrame> frames;                // being sent, the first one from `next` on
    std::uint64_t next = 0;
  };

  void leave(Connection& connection, std::string_view channel, PresenceChange::Kind kind);
  void unwatch(Connection& connection, const std::string& channel);
  void change(Followed& followed, const std::string& channel, const Connection& connection, PresenceChange::Kind kind);
  void report_some(const std::string& channel, std::uint64_t round);
  void send_some(const std::string& channel);

  net::EventLoop& loop_;
  const HubOptions& options_;
  ConnectionRegistry& registry_;
  const std::function<void(Connection&, const event::FrameRef&)> append_;
  std::unordered_map<std::string, Followed> followed_;
  std::unordered_map<std::string, Watchers> watchers_;
  std::unordered_set<std::string> changed_;  // of followed_, since the last report()
};

}  // namespace sse::hub
