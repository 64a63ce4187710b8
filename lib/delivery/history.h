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
#include "delivery/message_repository.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/catch_up.h"
#include "observe/metrics.h"

namespace sse::delivery {

struct HistoryOptions {
  std::size_t events = 0;  ///< most kept for one user, token, tenant or channel, and for all together; 0: none is kept
  ByteCount bytes = mebibytes(64);                           ///< most memory, everything counted
  std::chrono::milliseconds ttl = std::chrono::minutes(60);  ///< how long one is kept
};

/// The last events of one service, so that a client that was away gets what it missed. In memory, one shared frame an
/// event whatever the number of its recipients. Not thread safe: belongs to the Publisher, under its lock.
///
/// An event is kept in a topic for each name of its target. A topic holds at most `events`; all together hold at most
/// `bytes`, of which the oldest goes first, and nothing older than `ttl`. What was dropped from a topic is remembered
/// as its position alone (the last 128), so that a client learns how many events it has missed for good. Topics in
/// which nothing is left are remembered, too, 4096 of them at most; for one that was forgotten, a cursor older than
/// that counts as "too old": a client is told to refresh once too often rather than once too seldom.
class History {
 public:
  /// `since`: an id made now; cursors before it are older than this process.
  History(const HistoryOptions& options, MessageId since, observe::Registry& metrics, const ServiceName& service);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  bool on() const { return options_.events != 0; }

  /// REQUIRES: `position` is greater than all before.
  void keep(const event::Target& target, std::string_view event, MessageId position, event::FrameRef frame,
            SteadyTime now);

  /// An event that is a message a recipient no longer has pending: nobody who comes back gets it as that recipient.
  /// What is not kept, as it may only be on its way here, keep() leaves out when it comes soon.
  void withdraw(const std::vector<Withdrawn>& gone);

  struct Client {
    ConnectionId connection;    ///< its new one: no event with this position or a greater one is kept
    std::string last_event_id;  ///< as the client sent it
    std::vector<std::pair<event::TargetKind, std::string>> topics;
    std::function<bool(std::string_view event)> listens;
  };
  /// What the client has missed, in order. An id it cannot have from here (no number, from the future) is answered with
  /// a resync event alone, because nobody can tell what that client has; one that is too old with a resync event and
  /// what is left.
  hub::Resumption resume(const Client& client, SteadyTime now);

  /// A resume() in parts, so that whoever keeps events comes by between two of them.
  struct Resuming {
    bool begun = false;
    bool ours = false;  ///< the client's last id may be from here
    bool unknown = false;
    std::uint64_t cursor = 0;   ///< that id
    std::uint64_t through = 0;  ///< everything up to here has been looked at
    std::uint64_t oldest = 0;
    std::uint64_t lost = 0;
    std::vector<std::uint64_t> lost_through;  ///< of each of the client's topics: counted in `lost` up to here
    std::vector<hub::KeptEvent> missed;
  };
  static constexpr std::size_t kAtOnce = 1024;
  /// Looks at the next `most` events that are kept for the client. True: that was all. The same client each time, whose
  /// connection may have a greater id.
  bool collect(const Client& client, Resuming& so_far, SteadyTime now, std::size_t most = kAtOnce);
  /// What it comes to. REQUIRES: collect() has said that that was all, and nothing was kept since.
  hub::Resumption finish(const Client& client, Resuming so_far);

  /// An encoded resync event: the client named `requested`, holds `id` after it, the oldest event kept for it and how
  /// many it has missed for good; nullopt: none, unknown.
  static std::string resync_event(const std::string& requested, const std::string& id,
                                  std::optional<std::uint64_t> oldest, std::optional<std::uint64_t> missed);
  /// Counts those.
  static observe::Counter& resync_counter(observe::Registry& metrics, const ServiceName& service);

  /// Drops what is too old at `now`.
  void expire(SteadyTime now);

  std::size_t events() const { return entries_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Topic;
  struct Entry;
  using Entries = std::list<Entry>;  // ascending by position
  enum class Why : unsigned char { kCount, kBytes, kAge };

  Topic& topic_for(event::TargetKind kind, const std::string& name);
  const Topic* find(event::TargetKind kind, const std::string& name) const;
  void drop_first(Topic& topic);
  void drop_oldest(Why why);
  void erase(Entries::iterator entry, Why why);
  void forget(Entries::iterator entry);
  bool withdraw(const Withdrawn& gone, std::set<Topic*>& touched, std::vector<Entries::iterator>& left_alone);
  bool came_too_late(MessageId message, event::TargetKind kind, const std::string& name);
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
  // Withdrawn before they came, the youngest at the end.
  using Gone = std::tuple<MessageId, event::TargetKind, std::string>;
  std::set<Gone> gone_;
  std::deque<Gone> gone_order_;
  std::array<std::unordered_map<std::string, Topic>, event::kTargetKinds> topics_;  // by kind
  std::list<Topic*> resting_;    // with nothing left in them, the longest first
  std::uint64_t forgotten_ = 0;  // positions up to here may have been in a topic that is not remembered
  std::uint64_t bytes_ = 0;
  std::uint64_t resting_bytes_ = 0;
};

}  // namespace sse::delivery
