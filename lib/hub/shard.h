#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/ack_tracker.h"
#include "hub/connection.h"
#include "hub/connection_registry.h"
#include "hub/delivery_batch.h"
#include "hub/expected_resumes.h"
#include "hub/failed_reads.h"
#include "hub/hub_delegate.h"
#include "hub/hub_metrics.h"
#include "hub/hub_options.h"
#include "hub/passes.h"
#include "hub/replayed_messages.h"
#include "hub/shard_channels.h"
#include "hub/shard_presence.h"
#include "hub/slice.h"
#include "hub/tcp_ack_poll.h"
#include "hub/write_queue.h"
#include "net/event_loop.h"
#include "net/timer_wheel.h"

namespace sse::hub {

/// The streams of one service on one event loop: opens and closes them, delivers events to them, replays their pending
/// messages and takes the confirmations of their clients. Loop thread only, except for the counts.
class Shard final : private net::StreamOwner, private ShardChannels::Streams {
 public:
  Shard(net::EventLoop& loop, std::size_t number, const HubOptions& options, HubMetrics& metrics, HubDelegate& delegate,
        IdGenerator& ids, ExpectedResumes& expected_resumes);
  /// REQUIRES: the loop has stopped.
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  net::EventLoop& loop() { return loop_; }
  const Clock& clock() const { return loop_.clock(); }
  /// Its connections.
  ConnectionRegistry& registry() { return registry_; }
  const ConnectionRegistry& registry() const { return registry_; }
  /// The channels that these are in.
  ShardChannels& channels() { return channels_; }
  /// The presence in its channels, where that is followed.
  ShardPresence& presence() { return presence_; }
  /// Their messages in flight.
  const AckTracker& acks() const { return acks_; }
  const HubOptions& options() const { return options_; }

  /// Registers the connection, then writes the head and the `first` event: the stream misses no event that is sent
  /// after the client has seen the head.
  void connect(ConnectionId id, NewConnection request, const event::FrameRef& first, Resumption resumption = {});
  /// Runs the batch's plan for this shard, after those of earlier calls: streams get deliveries in the order of the
  /// calls. A delivery to many streams is worked off in slices (HubOptions::slice) at the end of this and the next
  /// turns of the loop. When the last shard has run its plan, calls the batch's `done`.
  void start(std::shared_ptr<DeliveryBatch> batch);
  /// Requests the pending messages of every connection.
  void refresh_pending();
  /// Delivers an event to one connection; returns whether it took the event.
  bool deliver_to(Connection& connection, std::string_view event, const event::FrameRef& frame);
  /// Delivers a page of pending messages and retained events.
  void replay(ConnectionId id, ReplayPage page);
  /// The client of a connection that `who` owns acknowledges messages it got on this stream or on an earlier one.
  /// Returns how many of them were in flight there; nullopt: there is and was no such connection.
  std::optional<std::size_t> acknowledge(ConnectionId id, const Identity& caller,
                                         const std::vector<MessageId>& messages);

  /// Null when the connection is not, or no longer, open on this shard.
  Connection* find(ConnectionId id) const;
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
  /// Ends all streams; their clients reconnect.
  void close_all(net::CloseReason reason);

  /// Backlog of all its streams, in bytes. Any thread.
  std::uint64_t backlog_bytes() const { return host_.backlog.load(std::memory_order_relaxed); }

 private:
  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_lost(net::Stream& stream, std::size_t messages) override;
  void stream_acknowledged(net::Stream& stream, MessageId message, event::TargetKind recipient) override;
  void stream_unacknowledged(net::Stream& stream) override;
  void stream_drained(net::Stream& stream) override;

  // Delivering, see Pass.
  void begin_steps(Slice& slice);
  void begin_step(const std::shared_ptr<BatchPart>& part, DeliveryBatch::Step step, bool urgent);
  void run_deliveries(SteadyTime::duration other);
  void run_passes(Slice& slice);
  bool visit_members(Slice& slice);
  std::size_t visit(Connection& connection, const ConnectionRegistry::Receivers& receivers, std::uint32_t last);
  void end_part(const BatchPart& part);
  void restart_passes();
  // The connection takes the passes that have not reached it. What is appended to a single stream, and what depends on
  // what it has been sent, comes after that.
  void settle(Connection& connection) {
    if (connection.passes_taken != passes_.newest()) take_passes(connection);
  }
  void take_passes(Connection& connection);
  // The same, and for batches that wait for their turn: before anything that is not a delivery itself.
  void finish_earlier(Connection& connection) override {
    begin_all_steps();
    settle(connection);
  }
  void begin_all_steps();
  bool give(Connection& connection, const Delivery& delivery, const event::FrameRef& frame, MessageId position);
  bool take_once(Connection& connection, std::uint64_t event, const event::FrameRef& frame, MessageId position);
  void note_sent(Connection& connection, const event::Frame& frame);
  void count_taken(DeliveryBatch& batch, DeliveryBatch::Step step, std::uint32_t streams);
  bool take(Connection& connection, const event::FrameRef& frame, MessageId position);
  bool append(Connection& connection, const event::FrameRef& frame) override;
  void note_duration(const Connection& connection, const event::FrameRef& frame);

  bool has_sliced_work() const;
  void run_after_flush();
  void end_turn();

  // Opening and closing.
  void refused(ConnectionId id, const NewConnection& request);
  void limit_client(const Connection& newest, const Attributes& attributes);
  void leave(Connection& connection, net::CloseReason reason, const std::string& note = "");
  std::string reconnect_id(const Connection& connection, const Attributes& attributes);
  void finish_closing(Connection& connection);
  void end_lifetime(Connection& connection);
  void end_for_reconnect(Connection& connection, net::CloseReason reason, std::chrono::milliseconds retry);

  // Replaying.
  ReplaySession& begin_replay(Connection& connection) const;
  void request_page(Connection& connection);
  MessageId seen_through(const Connection& connection) const;
  bool wanted(const Connection& connection, const ReplayFrame& item, const std::vector<MessageId>& carried) const;
  bool has_for_other(const Connection& connection, const event::Frame& frame, bool several,
                     const std::vector<MessageId>& carried) const;
  void begin_page(Connection& connection, std::vector<event::FrameRef> page, MessageId through, bool last);
  void continue_replay(Connection& connection);
  void end_replay(Connection& connection);
  void refresh_pending(Connection& connection, const std::vector<RecentConfirmations::Entry>& confirmed);
  void retry_reads();
  void replay_for(Connection& connection, const std::vector<std::string>& new_listeners);
  void replay_channels(Connection& connection, const std::vector<std::string>& channels,
                       std::vector<ChannelCatchUp> catch_ups) override;

  // Confirming.
  void notify_confirmed(const std::vector<Confirmed>& confirmed);
  void redeliver_overdue();
  void end_unconfirmed(Connection& connection);

  void tick();
  void schedule_check(Connection& connection);

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
  const event::FrameRef ping_;

  // Loop thread only.
  ConnectionRegistry registry_;
  ShardPresence presence_;
  std::deque<std::shared_ptr<BatchPart>> batches_;  // of the first, some steps have begun
  Passes passes_;
  WriteQueue writes_;
  std::vector<std::function<void()>> after_flush_;  // when the streams of small deliveries have been written
  std::vector<std::pair<Connection*, net::CloseReason>> closed_;
  TcpAckPoll<Connection> tcp_acks_;
  AckTracker acks_;
  net::TimerWheel wheel_;
  ReplayedStreams replayed_;
  FailedReads failed_reads_;
  MessageId published_;  // the position of the event that is delivered next; never decreases
  ShardChannels channels_;
};

}  // namespace sse::hub
