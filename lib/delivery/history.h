#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/units.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/catch_up.h"
#include "observe/metrics.h"
#include "sse-server/options.h"
#include "store/message_repository.h"

namespace sse::delivery {

using sse::HistoryOptions;

/// Retains the last events of one service, so that a reconnecting client gets the events it missed. In memory, with one
/// shared frame per event whatever the number of its recipients. Not thread safe: the Publisher guards it by its lock.
///
/// An event is in one topic for each name of its target. A topic holds at most `events` events; all topics together
/// hold at most `bytes`, and drop the oldest event first; no event is older than `ttl`. Of a dropped event only the
/// position is retained (the last 128 per topic), so that the server can tell a client how many events are lost. Empty
/// topics are retained, too, at most 4096. When one of these is dropped, older cursors count as "too old": an
/// unnecessary resync event is better than a missing one.
class History {
 public:
  /// `since`: an id created now; smaller cursors are older than this process.
  History(const HistoryOptions& options, MessageId since, observe::Registry& metrics, const ServiceName& service);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  bool on() const { return options_.events != 0; }

  /// What an event has besides one target.
  struct Audience {
    std::vector<const event::Target*> also{};  ///< further targets, none of channels
    std::string_view except{};  ///< clientId or clientInstanceId of clients that do not get it; empty: all do
  };
  /// Adds an event. REQUIRES: `position` is greater than all before.
  void keep(const event::Target& target, std::string_view event, MessageId position, event::FrameRef frame,
            SteadyTime now, const Audience& audience);
  /// The same for one target and all its clients.
  void keep(const event::Target& target, std::string_view event, MessageId position, event::FrameRef frame,
            SteadyTime now) {
    keep(target, event, position, std::move(frame), now, Audience());
  }

  /// Removes messages that are no longer pending for a recipient: a resuming client does not get them as that
  /// recipient. A message that is not in the history may be about to be added: keep() then skips that recipient.
  void withdraw(const std::vector<store::Withdrawn>& gone);

  struct Client {
    ConnectionId connection;    ///< the new connection; greater than all positions in the history
    std::string last_event_id;  ///< as the client sent it
    std::vector<std::pair<event::TargetKind, std::string>> topics;
    std::function<bool(std::string_view event)> listens;  ///< empty: the caller checks RetainedEvent::listening
    std::string tenant{};                                 ///< of its user
    std::string client{};                                 ///< its clientId
    std::string instance{};                               ///< its clientInstanceId
  };
  /// Returns the events the client has missed, in order. For an id that this server cannot have sent (not a number, or
  /// in the future) it returns only a resync event, because the client's state is unknown; for an id that is too old, a
  /// resync event and the events still retained.
  hub::Resumption resume(const Client& client, SteadyTime now);

  /// State of a resume() in parts, so that the lock is free for senders between two parts.
  struct Resuming {
    bool begun = false;
    bool ours = false;  ///< this server may have sent the client's last event id
    bool unknown = false;
    std::uint64_t cursor = 0;   ///< that id
    std::uint64_t through = 0;  ///< everything up to here has been visited
    std::uint64_t oldest = 0;
    std::uint64_t lost = 0;
    std::vector<std::uint64_t> lost_through;  ///< per topic of the client: counted in `lost` up to here
    std::vector<hub::RetainedEvent> missed;
  };
  static constexpr std::size_t kAtOnce = 1024;
  /// Collects the next `limit` events for the client; true when there are no more. REQUIRES: the same client each time;
  /// only its `connection` may increase.
  bool collect(const Client& client, Resuming& so_far, SteadyTime now, std::size_t limit = kAtOnce);
  /// Returns the result. REQUIRES: collect() has returned true, and no event was added since.
  hub::Resumption finish(const Client& client, Resuming so_far);

  /// Encodes a resync event with the event id `id`, empty: without one. `requested`: the last event id the client sent;
  /// `oldest`: the oldest event retained for it (nullopt: none); `missed`: the number of lost events (nullopt:
  /// unknown).
  static std::string resync_event(const std::string& requested, const std::string& id,
                                  std::optional<std::uint64_t> oldest, std::optional<std::uint64_t> missed);
  /// The counter of resync events.
  static observe::Counter& resync_counter(observe::Registry& metrics, const ServiceName& service);
  /// The counter of retained events that were sent to clients that resume, or catch up with a channel.
  static observe::Counter& resumed_events_counter(observe::Registry& metrics, const ServiceName& service);

  /// Drops events that are too old at `now`.
  void expire(SteadyTime now);

  /// What is retained for one name.
  struct Retained {
    std::size_t events = 0;
    std::uint64_t bytes = 0;  ///< of the encoded events
  };
  Retained retained(event::TargetKind kind, const std::string& name) const;

  std::size_t events() const { return entries_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Topic;
  struct Entry;
  using Entries = std::list<Entry>;  // ascending by position
  enum class Why : unsigned char { kCount, kBytes, kAge };

  static bool reaches(const Entry& entry, event::TargetKind kind, const Client& client);
  void add_to_topics(Entries::iterator entry, const event::Target& target);
  Topic& topic_for(event::TargetKind kind, const std::string& name);
  const Topic* find(event::TargetKind kind, const std::string& name) const;
  void drop_first(Topic& topic);
  void drop_oldest(Why why);
  void erase(Entries::iterator entry, Why why);
  void forget(Entries::iterator entry);
  bool withdraw(const store::Withdrawn& gone, std::set<Topic*>& touched, std::vector<Entries::iterator>& unreferenced);
  bool is_withdrawn(MessageId message, event::TargetKind kind, const std::string& name);
  void rest(Topic& topic);
  void forget_topic();
  void count();

  const HistoryOptions options_;
  const MessageId since_;
  observe::Gauge& events_gauge_;
  observe::Gauge& bytes_gauge_;
  std::array<observe::Counter*, 3> dropped_;  // by Why
  observe::Counter& resumed_;
  observe::Counter& resumed_events_;
  observe::Counter& resyncs_;

  Entries entries_;
  std::unordered_map<std::uint64_t, Entries::iterator> messages_;  // by the store's id
  // Messages withdrawn before they were added; gone_order_: oldest first.
  using WithdrawnKey = std::tuple<MessageId, event::TargetKind, std::string>;
  std::set<WithdrawnKey> withdrawn_;
  std::deque<WithdrawnKey> gone_order_;
  std::array<std::unordered_map<std::string, Topic>, event::kTargetKinds> topics_;  // by kind
  std::list<Topic*> resting_;    // topics without events, in the order in which they became empty
  std::uint64_t forgotten_ = 0;  // positions up to here may have been in a dropped topic
  std::uint64_t bytes_ = 0;
  std::uint64_t resting_bytes_ = 0;
};

}  // namespace sse::delivery
