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
#include "hub/closed_stream_log.h"
#include "hub/connection.h"
#include "hub/in_flight.h"
#include "hub/index.h"
#include "hub/pointer_table.h"
#include "hub/recent_confirmations.h"
#include "hub/recently_closed_streams.h"
#include "hub/replayed_messages.h"
#include "hub/resuming_clients.h"
#include "net/event_loop.h"
#include "net/timer_wheel.h"
#include "observe/metrics.h"

namespace sse::hub {

class Observer;

struct HubOptions {
  ServiceName service;
  std::chrono::milliseconds heartbeat{15000};
  std::chrono::milliseconds reconnect_time{5000};
  std::chrono::milliseconds reconnect_jitter{0};  ///< random time, up to this, added to reconnect_time per stream
  std::size_t client_max_connections = 3;  ///< open streams of one user + clientId + origin + tenant; 0: no limit
  net::Stream::Limits stream;
  bool in_cluster = false;       ///< connect-finish contains it, and the delegate is called before a stream opens
  Observer* observer = nullptr;  ///< must outlive the hub
  /// A client that acknowledges by itself gets a message again when it has not acknowledged it in this time; 0: never.
  std::chrono::milliseconds ack_timeout{30000};
  bool resumable = false;  ///< events are retained for resuming clients: positions and order matter
};

/// The target kinds and names by which sends reach a connection.
using Names = std::vector<std::pair<event::TargetKind, std::string>>;

Names names_of(const NewConnection& connection);
Names names_of(const Connection& connection);

/// Requests a page of the pending messages of a connection.
struct ReplayRequest {
  ConnectionId connection;
  std::size_t shard = 0;
  Names recipients;
  MessageId after;                       ///< only messages with a greater id
  std::vector<std::string> only_events;  ///< not empty: only messages for listeners of these events
};

/// A pending message and its delivery state.
struct DeliveryState {
  enum class State : unsigned char {
    kOffline,       ///< no connection matches
    kNotListening,  ///< connections match, but none listens to the event
    kWaiting,       ///< connections match and will get it
    kInFlight,      ///< sent on a stream, not confirmed
  };

  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;
  MessageId message;
  std::string event;
  bool listening = false;
  State state = State::kOffline;
  ConnectionId connection{};  ///< in flight: the latest connection it was sent on
  bool unread = false;        ///< in a cluster: a node that may know more did not reply
};

/// A pending message to replay into a stream.
struct ReplayFrame {
  event::FrameRef frame;
  std::string event;
  bool listening = false;
};

/// Callbacks of the hub into the module above it (delivery). Called on loop threads: must be quick, must not block, and
/// must not call back into the hub synchronously.
class HubDelegate {
 public:
  /// The hub needs the connection's pending messages: answer later through Hub::replay(). Returns false when there are
  /// none and no call will follow.
  virtual bool request_replay(const ReplayRequest& request) = 0;
  /// The client of the recipient, or its TCP, has acknowledged the message it got on `connection`.
  virtual void acknowledged(event::TargetKind kind, std::string_view name, MessageId message,
                            ConnectionId connection) = 0;
  /// The store still has a message for the recipient that a client here has confirmed: the confirmation has not reached
  /// the store yet, or was lost, for example with the node that should record it.
  virtual void acknowledged_before(event::TargetKind /*kind*/, std::string_view /*name*/, MessageId) {}
  /// A message went into a stream.
  virtual void sent(event::TargetKind, std::string_view /*name*/, MessageId, ConnectionId) {}
  /// A stream with messages has ended, or is about to: its unconfirmed messages count as lost.
  virtual void stream_ended(ConnectionId, net::CloseReason) {}

  /// Only in_cluster. A stream with these names is about to be registered; the delegate calls `proceed` once, on any
  /// thread, to continue. left() follows every opening(), also when the stream could not be opened.
  virtual void opening(const Names& /*names*/, std::function<void()> proceed) {
    proceed();
  }  // NOLINT: overrides store it
  virtual void left(const Names& /*names*/) {}
  /// Only in_cluster. A stream of this client has opened; with its streams on other nodes the client may be over
  /// client_max_connections.
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
  observe::Counter& reconnects_refused;
  observe::Gauge& connections;
};

/// Clients of one service that are expected to reconnect, shared by its shards.
struct ExpectedResumes {
  explicit ExpectedResumes(const HubOptions& options);

  ResumingClients closed;   ///< closed from the server's side: the next request of such a client is answered with 204
  ResumingClients renewed;  ///< ended at keepaliveTime: such a client needs no resync event
};

/// The connections of one service on one event loop, with this loop's part of every index. Loop thread only, except for
/// the counters at the end of the public part.
class Shard final : private net::StreamOwner {
 public:
  Shard(net::EventLoop& loop, std::size_t number, const HubOptions& options, HubMetrics& metrics, HubDelegate& delegate,
        IdGenerator& ids, ExpectedResumes& expected_resumes);
  /// REQUIRES: the loop has stopped.
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  net::EventLoop& loop() { return loop_; }
  const Clock& clock() const { return loop_.clock(); }

  /// Registers the connection, then writes the head and the `first` event: the stream misses no event that is sent
  /// after the client has seen the head.
  void connect(ConnectionId id, NewConnection request, const event::FrameRef& first, Resumption resumption = {});
  /// Sets the position of the event that is delivered next. The stored position never decreases.
  void published(MessageId position) {
    loop_.assert_in_loop_thread();
    published_ = std::max(published_, position);
  }
  /// Appends the frame to the streams of one name of a target; returns how many took it.
  std::uint32_t deliver(event::TargetKind kind, const std::string& name, bool listening, std::string_view event,
                        const event::FrameRef& frame);
  /// Requests the pending messages of every connection.
  void refresh_pending();
  /// Whether a connection gets an event sent to its group: the filter of deliver().
  static bool wants(const Connection& connection, bool listening, std::string_view event) {
    return !listening || connection.listens(event);
  }
  /// The outcome that deliver() of an event of `event_bytes` would have.
  enum class DeliveryForecast : unsigned char { kTakes, kWaits, kOverflows };
  DeliveryForecast forecast(const Connection& connection, std::size_t event_bytes) const;
  /// Delivers an event to one connection; returns whether it took the event.
  bool deliver_to(Connection& connection, std::string_view event, const event::FrameRef& frame);
  /// Drops the session duration that was set, so that the client's own count applies again.
  void forget_duration(const Connection& connection) {
    loop_.assert_in_loop_thread();
    durations_.erase(connection.id.value());
  }
  /// Runs the task at the end of this turn of the loop, after the streams have been flushed.
  void after_flush(std::function<void()> task) {
    loop_.assert_in_loop_thread();
    after_flush_.push_back(std::move(task));
  }
  /// Like deliver(), for a message that streams may have had already. Skips streams that are replaying pending
  /// messages, because they read it from the store.
  std::uint32_t redeliver(event::TargetKind kind, const std::string& name, bool listening, std::string_view event,
                          const event::FrameRef& frame);
  /// The state of one message on this shard, and the connection where it is in flight.
  struct FoundStates {
    DeliveryState::State state = DeliveryState::State::kOffline;
    ConnectionId connection{};
  };
  /// Finds the delivery state of the messages with the indexes `asked`, all of one recipient: raises the entry of each
  /// in `found`. Visits every stream of the recipient, and its messages in flight, once.
  void find_delivery_states(const std::vector<DeliveryState>& messages, const std::vector<std::size_t>& asked,
                            std::vector<FoundStates>& found) const;
  /// Delivers a page of pending messages. `last`: no further page is known; `failed`: the store could not be read, or
  /// not completely.
  void replay(ConnectionId id, std::vector<ReplayFrame> page, MessageId through, bool last, bool failed);
  /// Whether `who` owns the connection, like hub::owns().
  static bool owns(const Identity& caller, const Connection& connection);
  /// The client of a connection that `who` owns acknowledges messages it got on this stream or on an earlier one.
  /// Returns how many of them were in flight there; nullopt: there is and was no such connection.
  std::optional<std::size_t> acknowledge(ConnectionId id, const Identity& caller,
                                         const std::vector<MessageId>& messages);

  /// The client's open streams on this shard.
  std::vector<ConnectionId> connections_of(const ClientKey& client) const;
  /// Null when the connection is not, or no longer, open on this shard.
  Connection* find(ConnectionId id);
  /// The streams that ended last, oldest first.
  const std::deque<ClosedConnection>& closed() const {
    loop_.assert_in_loop_thread();
    return closed_streams_.entries();
  }
  /// The connections that a send to the name reaches.
  std::vector<Connection*> connections_for(event::TargetKind kind, std::string_view name) const;
  /// The connections with a name in an index; all connections for kAll. REQUIRES: not kMember.
  const Group* group(event::TargetKind kind, const std::string& name) const {
    loop_.assert_in_loop_thread();
    return indexes_.find(kind, name);
  }
  std::vector<std::string> names(event::TargetKind kind) const {
    loop_.assert_in_loop_thread();
    return indexes_.names(kind);
  }
  ConnectionInfo describe(const Connection& connection) const;
  /// Returns the set after the change; requests the pending messages for new names.
  ListenerSet change_listeners(Connection& connection, const std::vector<std::string>& names, bool add);
  /// Ends the stream; with `send_close_event` it sends a connect-close event first, so that the client does not
  /// reconnect. `id`: the id of that event; may be empty.
  void close(Connection& connection, net::CloseReason reason, bool send_close_event, const std::string& note = "",
             const std::string& id = "");
  /// Like close() with connect-close. A client that does not know that event reconnects: ExpectedResumes::closed
  /// remembers it.
  void close_by_server(Connection& connection);
  /// Ends the stream; the client reconnects, to this or another node, after `retry`.
  void close_for_reconnect(Connection& connection, std::chrono::milliseconds retry);
  void close_all(net::CloseReason reason);

  // Any thread.
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  std::size_t users() const { return user_count_.load(std::memory_order_relaxed); }
  /// Backlog of all its streams, in bytes.
  std::uint64_t backlog_bytes() const { return host_.backlog.load(std::memory_order_relaxed); }
  /// Open sockets, including those of closing streams.
  std::size_t sockets() const { return socket_count_.load(std::memory_order_relaxed); }

 private:
  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_lost(net::Stream& stream, std::size_t messages) override;
  void stream_acknowledged(net::Stream& stream, MessageId message, event::TargetKind recipient) override;
  void stream_unacknowledged(net::Stream& stream) override;
  void stream_drained(net::Stream& stream) override;

  // Time limit for a closing stream to write its backlog and to see the peer close.
  static constexpr std::chrono::seconds kFinishTime{5};

  struct ById {
    static std::uint64_t key(const Connection& connection) { return connection.id.value(); }
    static std::uint64_t hash(std::uint64_t id) { return id; }
  };

  // The receivers of a send: a group, or its members of one tenant.
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
  void note_replayed(Connection& connection, const std::vector<event::FrameRef>& page);
  void expire_replayed();
  void note_duration(const Connection& connection, const event::FrameRef& frame);
  bool append(Connection& connection, const event::FrameRef& frame);
  Connection::Replay& begin_replay(Connection& connection) const;
  void request_page(Connection& connection);
  MessageId seen_through(const Connection& connection) const;
  void begin_page(Connection& connection, std::vector<event::FrameRef> page, MessageId through, bool last);
  void continue_replay(Connection& connection);
  bool next_pass(Connection& connection);
  void end_replay(Connection& connection);
  void note_in_flight(Connection& connection, const event::FrameRef& frame);
  std::vector<MessageId> confirm_earlier(const Connection& new_connection, const std::string& client,
                                         std::uint64_t event);
  void notify_confirmed(const std::vector<Confirmed>& confirmed);
  void note_confirmed(ConnectionId connection, MessageId message);
  static RecentlyClosedStreams::Owner owner_of(const Connection& connection);
  void remember_in_flight(Connection& connection);
  void redeliver_overdue();
  void refresh_pending(Connection& connection, const std::vector<RecentConfirmations::Entry>& confirmed);
  struct FailedRead;
  void note_failed_read(FailedRead unread);
  void retry_read();
  void replay_for(Connection& connection, const std::vector<std::string>& new_listeners);
  bool wanted(const Connection& connection, const ReplayFrame& item, const std::vector<MessageId>& carried) const;
  void refused(ConnectionId id, const NewConnection& request);
  void limit_client(const Connection& new_connection, const Attributes& attributes);
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
  void end_lifetime(Connection& connection);
  std::string reconnect_id(const Connection& connection, const Attributes& attributes);
  void schedule_check(Connection& connection);
  void update_counts();

  net::EventLoop& loop_;
  const std::size_t number_;
  const HubOptions& options_;
  HubMetrics& metrics_;
  HubDelegate& delegate_;
  IdGenerator& ids_;
  ExpectedResumes& expected_resumes_;
  const net::Stream::Host host_;
  const event::FrameRef heartbeat_;
  const event::FrameRef mark_;

  // Loop thread only.
  PointerTable<Connection, ById> connections_;  // owned: destroy()
  Indexes indexes_;
  ClientIndex clients_;
  ListenerSets listener_sets_;
  std::unordered_map<std::uint64_t, SetDuration> durations_;  // of the few connections with a set duration
  std::vector<Connection*> dirty_;
  std::vector<std::function<void()>> after_flush_;
  std::vector<std::pair<Connection*, net::CloseReason>> closed_;
  // Streams that wait for the peer's TCP to acknowledge. No notification exists for that, so each stream is checked
  // after a write, soon after that, and then in rounds of increasing delay. An id counts only in the round stored in
  // its connection (ack_round); other copies of it are stale.
  static constexpr std::size_t kAckRounds = 8;
  struct AckRound {
    std::vector<ConnectionId> streams;
    bool timer = false;
  };
  std::vector<ConnectionId> written_awaiting_;  // in this turn
  std::array<AckRound, kAckRounds> ack_rounds_;
  net::TimerWheel wheel_;
  ClosedStreamLog closed_streams_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;  // by connection id
  RecentlyClosedStreams recently_closed_;
  std::unordered_map<std::uint64_t, ReplayedMessages> replayed_;  // by connection id
  RecentConfirmations recent_confirmations_;                      // only in a cluster
  SteadyTime next_resend_;
  // Streams whose pending messages could not be read.
  struct FailedRead {
    ConnectionId connection;
    std::vector<std::string> only_events;
  };
  std::deque<FailedRead> unread_;
  bool store_readable_ = true;  // whether the last read succeeded
  SteadyTime next_reading_;
  MessageId published_;

  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::size_t> user_count_{0};
  std::atomic<std::size_t> socket_count_{0};
};

}  // namespace sse::hub
