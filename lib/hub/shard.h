#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/client_index.h"
#include "hub/client_key.h"
#include "hub/closed_log.h"
#include "hub/connection.h"
#include "hub/departed.h"
#include "hub/given_messages.h"
#include "hub/in_flight.h"
#include "hub/index.h"
#include "hub/pointer_table.h"
#include "hub/recent_confirmations.h"
#include "hub/returning_clients.h"
#include "net/event_loop.h"
#include "net/timer_wheel.h"
#include "observe/metrics.h"

namespace sse::hub {

class Observer;

struct HubOptions {
  ServiceName service;
  std::chrono::milliseconds heartbeat{15000};
  std::chrono::milliseconds reconnect_time{5000};
  std::chrono::milliseconds reconnect_jitter{0};  ///< a stream is told to come back up to so much later than that
  std::size_t client_max_connections = 3;  ///< live streams of one user + clientId + origin + tenant; 0: no limit
  net::Stream::Limits stream;
  bool in_cluster = false;       ///< connect-finish says so, and the delegate is asked before a stream opens
  Observer* observer = nullptr;  ///< must outlive the hub
  /// A client that confirms by itself gets a message again when it has not confirmed it for so long; 0: never.
  std::chrono::milliseconds ack_timeout{30000};
  bool resumable = false;  ///< events are kept for clients that come back: positions and order count
};

/// Kinds and names that sends reach a connection by.
using Names = std::vector<std::pair<event::TargetKind, std::string>>;

Names names_of(const NewConnection& connection);
Names names_of(const Connection& connection);

/// Asks for the pending messages of a connection, a page at a time.
struct ReplayRequest {
  ConnectionId connection;
  std::size_t shard = 0;
  Names recipients;
  MessageId after;                       ///< only messages with a greater id
  std::vector<std::string> only_events;  ///< not empty: only "listening" messages for these events
};

/// A pending message somebody asks after, and where it is.
struct Whereabouts {
  enum class State : unsigned char {
    kOffline,       ///< no connection matches
    kNotListening,  ///< connections match, but none listens to the event
    kWaiting,       ///< connections match; it will go to them
    kInFlight,      ///< it is in a stream, not confirmed
  };

  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;
  MessageId message;
  std::string event;
  bool listening = false;
  State state = State::kOffline;
  ConnectionId connection{};  ///< in flight: on which, the latest
  bool unread = false;        ///< of a cluster: a node that may know more did not say
};

/// A pending message on its way into a stream.
struct ReplayFrame {
  event::FrameRef frame;
  std::string event;
  bool listening = false;
};

/// What the hub tells the room above. Called on loop threads: must be quick, must not block, must not call back into
/// the hub synchronously.
class HubDelegate {
 public:
  /// The connection's pending messages are wanted: answer later through Hub::replay(). False: there are none, nothing
  /// will follow.
  virtual bool replay_wanted(const ReplayRequest& request) = 0;
  /// The recipient's side has acknowledged the message it got on `connection`.
  virtual void acknowledged(event::TargetKind kind, std::string_view name, MessageId message,
                            ConnectionId connection) = 0;
  /// The store still has a message for the recipient that a client here has confirmed: the confirmation is still on its
  /// way, or was lost, as with the node that it was for.
  virtual void acknowledged_before(event::TargetKind /*kind*/, std::string_view /*name*/, MessageId) {}
  /// A message went into a stream.
  virtual void sent(event::TargetKind, std::string_view /*name*/, MessageId, ConnectionId) {}
  /// A stream into which messages went has ended, or is about to: what nobody has confirmed was lost with it.
  virtual void cut_off(ConnectionId, net::CloseReason) {}

  /// Only in_cluster. A stream with these names is about to be registered: `go_on`, to be called once and from any
  /// thread, lets it. left() follows for every opening(), also of a stream that came to nothing.
  virtual void opening(const Names& /*names*/, std::function<void()> go_on) { go_on(); }  // NOLINT: others keep it
  virtual void left(const Names& /*names*/) {}
  /// Only in_cluster. A stream of this client has opened, and it may have more of them elsewhere than it should.
  virtual void client_opened(const ClientKey& /*client*/, ConnectionId) {}

 protected:
  ~HubDelegate() = default;
};

/// Counters of one service, shared by its shards.
struct HubMetrics {
  HubMetrics(observe::Registry& registry, const ServiceName& service);

  observe::Counter& opened;
  std::vector<observe::Counter*> closed;  // by CloseReason
  observe::Counter& deliveries;
  observe::Counter& delivered_bytes;
  observe::Counter& dropped;
  observe::Counter& heartbeats;
  observe::Counter& resent;
  observe::Counter& attempts_failed;
  observe::Counter& acks_ignored;
  observe::Counter& turned_away;
  observe::Gauge& connections;
};

/// Clients of one service that may come back, shared by its shards.
struct ExpectedReturns {
  explicit ExpectedReturns(const HubOptions& options);

  ReturningClients closed;   ///< from the server's side: the next request of such a client is to be told to stay away
  ReturningClients renewed;  ///< at the end of their time: they miss nothing that has to be told
};

/// The connections of one service that live on one loop, and this loop's part of every index. Loop thread only, but for
/// the counters at the end.
class Shard final : private net::StreamOwner {
 public:
  Shard(net::EventLoop& loop, std::size_t number, const HubOptions& options, HubMetrics& metrics, HubDelegate& delegate,
        IdGenerator& ids, ExpectedReturns& returns);
  /// REQUIRES: the loop has stopped.
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  net::EventLoop& loop() { return loop_; }
  const Clock& clock() const { return loop_.clock(); }

  /// Registers first, then writes head and `first` event: nothing sent after the client saw the head is missed.
  void connect(ConnectionId id, NewConnection request, const event::FrameRef& first, Resumption resumption = {});
  /// Of the event that is delivered next, and of all that were: never falls.
  void published(MessageId position) { published_ = std::max(published_, position); }
  /// Puts the frame into the streams of one name of a target; returns how many took it.
  std::uint32_t deliver(event::TargetKind kind, const std::string& name, bool listening, std::string_view event,
                        const event::FrameRef& frame);
  /// Looks for pending messages of every connection.
  void look_again();
  /// Whether an event for the connection's group is for the connection: what deliver() asks of each.
  static bool wants(const Connection& connection, bool listening, std::string_view event) {
    return !listening || connection.listens(event);
  }
  /// What deliver() would do with an event of `event_bytes`, without doing it.
  enum class Outlook : unsigned char { kTakes, kWaits, kOverflows };
  Outlook outlook(const Connection& connection, std::size_t event_bytes) const;
  /// An event for one connection alone; false when that did not take it.
  bool give(Connection& connection, std::string_view event, const event::FrameRef& frame);
  /// The session duration is again what the client counts by itself.
  void forget_duration(const Connection& connection) { durations_.erase(connection.id.value()); }
  /// Runs the task when the streams have been written to, at the end of this turn of the loop.
  void after_flush(std::function<void()> task) { after_flush_.push_back(std::move(task)); }
  /// As deliver(), for a message that streams may have had already. Streams that are being given pending messages come
  /// by it anyway.
  std::uint32_t deliver_again(event::TargetKind kind, const std::string& name, bool listening, std::string_view event,
                              const event::FrameRef& frame);
  /// Of the messages numbered by `asked`, all for one recipient, what is known here: raises `found` of each. Looks at
  /// every stream of the recipient once, and at what is in flight there.
  struct Located {
    Whereabouts::State state = Whereabouts::State::kOffline;
    ConnectionId connection{};
  };
  void locate(const std::vector<Whereabouts>& messages, const std::vector<std::size_t>& asked,
              std::vector<Located>& found) const;
  /// A page of pending messages; `last`: nothing more is known to follow; `failed`: the store could not be read, or not
  /// all of it.
  void replay(ConnectionId id, std::vector<ReplayFrame> page, MessageId through, bool last, bool failed);
  /// Whether the connection is `who`'s own, as hub::owns().
  static bool owns(const Identity& who, const Connection& connection);
  /// What the client of one of `who`'s connections says it has handled, on this stream or on an earlier one. Returns
  /// how many of the messages were in flight there. Nothing: there is and was no such connection.
  std::optional<std::size_t> acknowledge(ConnectionId id, const Identity& who, const std::vector<MessageId>& messages);

  /// The client's streams that are open here.
  std::vector<ConnectionId> connections_of(const ClientKey& client) const;
  /// Null when it is not (any more) online here.
  Connection* find(ConnectionId id);
  /// Those that ended last, oldest first.
  const std::deque<ClosedConnection>& closed() const { return closed_log_.entries(); }
  /// Those that a send to the name reaches.
  std::vector<Connection*> connections_for(event::TargetKind kind, std::string_view name) const;
  /// Connections under a name of an index, not kMember; all of them for kAll.
  const Group* group(event::TargetKind kind, const std::string& name) const { return indexes_.find(kind, name); }
  std::vector<std::string> names(event::TargetKind kind) const { return indexes_.names(kind); }
  ConnectionInfo describe(const Connection& connection) const;
  /// Returns the set after the change; asks for the pending messages of names that are new.
  ListenerSet change_listeners(Connection& connection, const std::vector<std::string>& names, bool add);
  /// Ends the stream; with `say_so` a connect-close event goes first, so that the client stays away.
  /// `id`: of that event; may be empty.
  void close(Connection& connection, net::CloseReason reason, bool say_so, const std::string& note = "",
             const std::string& id = "");
  /// As close() with connect-close. A client that does not know that event comes back: it is remembered, see
  /// ExpectedReturns::closed.
  void close_for_good(Connection& connection);
  /// Ends the stream for a client that is to come back, here or elsewhere, after `retry`.
  void send_away(Connection& connection, std::chrono::milliseconds retry);
  void close_all(net::CloseReason reason);

  // Any thread.
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  std::size_t users() const { return user_count_.load(std::memory_order_relaxed); }
  /// Bytes all its streams owe.
  std::uint64_t backlog_bytes() const { return host_.owed.load(std::memory_order_relaxed); }
  /// Sockets held, streams that are being ended included.
  std::size_t sockets() const { return socket_count_.load(std::memory_order_relaxed); }

 private:
  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_lost(net::Stream& stream, std::size_t messages) override;
  void stream_acknowledged(net::Stream& stream, MessageId message, event::TargetKind recipient) override;
  void stream_awaits(net::Stream& stream) override;
  void stream_drained(net::Stream& stream) override;

  // How long a stream that is being ended may take to write out what it owes and to see the peer close.
  static constexpr std::chrono::seconds kFinishTime{5};

  struct ById {
    static std::uint64_t key(const Connection& connection) { return connection.id.value(); }
    static std::uint64_t hash(std::uint64_t id) { return id; }
  };

  // A group, or those of it that are of one tenant.
  struct Receivers {
    const Group* group = nullptr;
    bool of_tenant = false;
    std::string_view tenant{};

    bool include(const Connection& connection) const;
  };
  Receivers receivers_of(event::TargetKind kind, std::string_view name) const;
  static std::string recipient_name(const Connection& connection, event::TargetKind kind);
  bool take(Connection& connection, const event::FrameRef& frame);
  bool has_from_store(const Connection& connection, MessageId message) const;
  void note_given(Connection& connection, const std::vector<event::FrameRef>& page);
  void forget_given();
  void note_duration(const Connection& connection, const event::FrameRef& frame);
  bool append(Connection& connection, const event::FrameRef& frame);
  Connection::Replay& begin_replay(Connection& connection) const;
  void ask_replay(Connection& connection);
  MessageId seen_through(const Connection& connection) const;
  void begin_page(Connection& connection, std::vector<event::FrameRef> page, MessageId through, bool last);
  void continue_replay(Connection& connection);
  bool next_pass(Connection& connection);
  void end_replay(Connection& connection);
  void note_in_flight(Connection& connection, const event::FrameRef& frame);
  std::vector<MessageId> confirm_earlier(const Connection& newcomer, const std::string& client, std::uint64_t event);
  void tell(const std::vector<Confirmed>& confirmed);
  void note_confirmed(ConnectionId connection, MessageId message);
  static Departed::Owner owner_of(const Connection& connection);
  void depart(Connection& connection);
  void resend_late();
  void look_again(Connection& connection, const std::vector<RecentConfirmations::Entry>& confirmed);
  struct Unread;
  void note_unread(Unread unread);
  void read_again();
  void replay_for(Connection& connection, const std::vector<std::string>& new_listeners);
  bool wanted(const Connection& connection, const ReplayFrame& item, const std::vector<MessageId>& carried) const;
  void refused(ConnectionId id, const NewConnection& request);
  void limit_client(const Connection& newcomer, const Attributes& attributes);
  std::vector<Connection*> streams_of(const ClientKey& client) const;
  std::vector<Connection*> oldest_streams(const Group& user, const ClientKey& client, std::size_t allowed) const;
  void leave(Connection& connection, net::CloseReason reason, const std::string& note = "");
  ClosedConnection closed_now(const Connection& connection, net::CloseReason reason) const;
  void destroy(Connection* connection);
  void end_turn();
  void check_written();
  void check_round(std::size_t round);
  void check_acknowledged(Connection& connection, std::size_t next_round);
  void tick();
  void end_life(Connection& connection);
  std::string id_for_return(const Connection& connection, const Attributes& attributes);
  void schedule_check(Connection& connection);
  void update_counts();

  net::EventLoop& loop_;
  const std::size_t number_;
  const HubOptions& options_;
  HubMetrics& metrics_;
  HubDelegate& delegate_;
  IdGenerator& ids_;
  ExpectedReturns& returns_;
  const net::Stream::Host host_;
  const event::FrameRef heartbeat_;
  const event::FrameRef mark_;

  // Loop thread only.
  PointerTable<Connection, ById> connections_;  // owned: destroy()
  Indexes indexes_;
  ClientIndex clients_;
  ListenerSets listener_sets_;
  std::unordered_map<std::uint64_t, SetDuration> durations_;  // of the few connections that were told one
  std::vector<Connection*> dirty_;
  std::vector<std::function<void()>> after_flush_;
  std::vector<std::pair<Connection*, net::CloseReason>> closed_;
  // Streams that wait for acknowledgements of the peer's TCP, of which nothing tells: each is looked at when it has
  // been written to, soon after that, and then ever more rarely, a round less with each. An id counts in the round
  // that its connection says; others were left behind.
  static constexpr std::size_t kAckRounds = 8;
  struct AckRound {
    std::vector<ConnectionId> streams;
    bool timer = false;
  };
  std::vector<ConnectionId> written_awaiting_;  // in this turn
  std::array<AckRound, kAckRounds> ack_rounds_;
  net::TimerWheel wheel_;
  ClosedLog closed_log_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;  // by connection id
  Departed departed_;
  std::unordered_map<std::uint64_t, GivenMessages> given_;  // by connection id; of those that just had some
  RecentConfirmations recent_confirmations_;                // in a cluster
  SteadyTime next_resend_;
  // Streams whose pending messages could not be read.
  struct Unread {
    ConnectionId connection;
    std::vector<std::string> only_events;
  };
  std::deque<Unread> unread_;
  bool store_reads_ = true;  // at the last try
  SteadyTime next_reading_;
  MessageId published_;

  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::size_t> user_count_{0};
  std::atomic<std::size_t> socket_count_{0};
};

}  // namespace sse::hub
