#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "hub/hub.h"
#include "hub/presence_observer.h"
#include "net/event_loop.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"
#include "presence/channel_view.h"
#include "presence/occupancy.h"
#include "presence/peers.h"
#include "presence/roster.h"

namespace sse::presence {

struct TrackerOptions {
  std::chrono::milliseconds grace{5000};           ///< after which a member whose last stream has left is gone
  std::chrono::milliseconds hidden_grace{60'000};  ///< the same where its page is hidden
  std::size_t max_listed = 1000;                   ///< with more members events have only their number
  std::size_t max_channels = 20'000;               ///< followed, for the streams of this node and of the others
  RemotePresence* remote = nullptr;                ///< the other nodes, outlives the tracker; null: no cluster
};

/// Tracks the members of the channels that streams watch, and reports them to those streams. A channel that no stream
/// watches costs nothing.
///
/// All state belongs to the thread of one loop, which is none of a stream: the shards report who joins and leaves, and
/// get frames to send. What happens in a channel within kInterval is one event, whose size is limited; the cost of a
/// change does not depend on the number of members.
///
/// In a cluster each node follows the channels that are watched at any node, and sends the members that it has to those
/// that watch: all of them once, then changes. A member leaves a node after the grace there, so that it may come back
/// at another one.
///
/// max_channels bounds the memory: a place is taken for a channel before anything is stored for it. A stream that would
/// watch one more is told, and so is the operator; for another node's streams the members of this node are missing
/// there until a place is free. A channel has its place as long as it is followed. Thread safe.
class Tracker final : public hub::PresenceObserver, private Peers::Owner {
 public:
  /// Between two events of a channel.
  static constexpr std::chrono::milliseconds kInterval{250};
  /// The same for a channel with more members, or more streams that watch it, than max_listed.
  static constexpr std::chrono::milliseconds kLargeInterval{1000};
  /// How long a channel is followed that is no longer watched: streams that reconnect watch it again.
  static constexpr std::chrono::seconds kLinger{10};

  /// `occupied` is called on the tracker's thread and must be quick; empty: not needed. References must outlive this.
  Tracker(TrackerOptions options, const Clock& clock, observe::Registry& metrics, Occupancy::Report occupied = {});
  /// REQUIRES: stopped or never started.
  ~Tracker();
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  /// Before start(). `hub` has this as its observer, and must outlive stop(). `shards`: their number.
  void add(hub::Hub& hub, std::size_t shards);
  void start();
  /// Ends the thread. Idempotent.
  void stop() { loop_.stop(); }
  /// For the check that it makes progress.
  net::EventLoop& loop() { return loop_; }

  event::FrameRef watched(const ServiceName& service, const std::string& channel, hub::Watch how) override;
  void unwatched(const ServiceName& service, const std::string& channel) override;
  void changed(const ServiceName& service, hub::PresenceReport report) override;
  void occupied(const ServiceName& service, const std::string& channel, bool occupied) override;

  /// A message of another node's tracker.
  void received(const std::string& node, std::string bytes);
  /// Messages of other nodes may have been lost.
  void synchronize();

 private:
  struct Service {
    hub::Hub* hub;
    std::size_t shards;
  };
  using Key = ChannelKey;
  struct Channel {
    Channel(Key its_key, hub::Hub& its_hub, std::size_t max_listed)
        : key(std::move(its_key)), hub(its_hub), roster(max_listed) {}

    const Key key;
    hub::Hub& hub;
    std::uint64_t round = 0;
    std::size_t incomplete = 0;  // shards that have not reported all their streams
    Roster roster;
    std::size_t members_counted = 0;  // of the roster, in the metric
    std::optional<ChannelView> view;
    std::size_t watchers = 0;            // streams of this node
    std::set<std::string> peers{};       // nodes that watch
    std::set<std::string> uninformed{};  // of them: they get all members next
    bool wants_snapshot = false;
    SteadyTime next{};  // for the next event
    std::optional<net::EventLoop::TimerId> timer;
    std::optional<SteadyTime> idle_since;  // not watched since then
    bool closing = false;                  // a timer for close_idle() runs
  };

  bool peer_watches(const std::string& node, const ChannelKey& key, bool watches) override;
  void peer_members(const std::string& node, const MembersMessage& message) override;
  void peer_lost(const std::string& node) override;
  std::vector<ChannelKey> watched_channels() const override;

  bool take_place();
  void note_refused(observe::Counter& counter, const Key& key);
  Channel& open(const Key& key, bool has_place);
  void rest(Channel& channel);
  void close_idle(const Key& key);
  void inform(Channel& channel, const std::string& node, RosterUpdate update);
  Channel* find(const Key& key);
  void run_at(Channel& channel, SteadyTime due);
  void run(Channel& channel);
  void pass_on_changes(Channel& channel);
  void send(Channel& channel, const PresenceEvent& event, bool is_snapshot);
  void count_members(Channel& channel);
  void expire_occupancy();

  const TrackerOptions options_;
  net::EventLoop loop_;
  observe::Gauge& channels_gauge_;
  observe::Gauge& members_gauge_;
  observe::Gauge& watchers_gauge_;
  observe::Counter& events_;
  observe::Counter& refused_streams_;
  observe::Counter& refused_nodes_;
  observe::LogThrottle throttle_{std::chrono::seconds(10)};
  std::atomic<std::size_t> places_{0};  // taken

  std::map<std::string, Service> services_;  // constant after start()

  // Loop thread only.
  std::map<Key, std::unique_ptr<Channel>> channels_;
  std::uint64_t last_round_ = 0;
  std::optional<Occupancy> occupancy_;
  std::optional<net::EventLoop::TimerId> occupancy_timer_;
  std::optional<Peers> peers_;
};

}  // namespace sse::presence
