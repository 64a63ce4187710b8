#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "delivery/attempts.h"
#include "delivery/confirmation_waiter.h"
#include "delivery/delivery_order.h"
#include "delivery/history.h"
#include "delivery/publisher.h"
#include "delivery/read_failure_log.h"
#include "delivery/remote_nodes.h"
#include "delivery/replay_source.h"
#include "delivery/send_request.h"
#include "delivery/trace.h"
#include "delivery/waiting_sends.h"
#include "event/target.h"
#include "hub/hub.h"
#include "net/event_loop.h"
#include "observe/metrics.h"
#include "store/message_repository.h"

namespace sse::delivery {

struct SenderOptions {
  hub::HubOptions hub;
  std::chrono::milliseconds ttl = std::chrono::days(7);
  RemoteNodes* remote_nodes = nullptr;  ///< the other nodes, outlives the sender; null: no cluster
  /// Called after every send, on the thread that completes it. May be empty; must be quick.
  std::function<void(const std::vector<SendRequest>&, const std::vector<SendOutcome>&)> on_sent{};
  store::AttemptLog* attempts = nullptr;  ///< outlives the sender; null: attempts are not counted
  HistoryOptions history;
};

/// `in-flight`, `waiting`, `not-listening`, `offline`; `unknown` when a node that may know more did not reply.
std::string_view state_name(const hub::DeliveryState& message);

/// Sends events to the connections of one service. Messages accepted with qos are delivered at least once: the sender
/// commits them to the store, delivers them to open streams, replays them to streams that open later, and deletes them
/// when confirmed. Thread safe.
///
/// Why no message is missed: a stream is registered before its pending messages are read, and a message is committed
/// before it is delivered to streams. So either the read finds the message or the delivery finds the stream (the hub
/// drops duplicates).
class Sender final : private hub::HubDelegate {
 public:
  /// All references must outlive the sender; `loops` must not be started yet. The sender uses the clock of `ids`.
  Sender(SenderOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
         observe::Registry& metrics, store::MessageRepository& repository);
  /// REQUIRES: stop() was called and the loops have stopped.
  ~Sender();

  const ServiceName& service() const { return options_.hub.service; }
  /// Whether other nodes may have streams for its messages.
  bool in_cluster() const { return options_.remote_nodes != nullptr; }
  const Clock& clock() const { return clock_; }
  hub::Hub& hub() { return hub_; }
  const hub::Hub& hub() const { return hub_; }

  /// Opens a stream like Hub::connect(). The client first gets the events it missed since its last event id (History).
  ConnectionId connect(hub::NewConnection request) { return publisher_.connect(std::move(request)); }
  /// Drops events from the history that are too old; called periodically.
  void expire_history() { publisher_.expire(); }

  /// Blocks until the event is committed (qos) and in the streams. Throws Error, with nothing sent: kInvalidArgument
  /// for an event that a stream cannot carry, kLimitExceeded or kIo from the repository. Not on a loop thread.
  SendResult send(const SendRequest& request);
  /// Like send() for each request, in order, with one commit for all with qos. A request that is invalid or exceeds a
  /// limit is refused without affecting the others. Throws Error(kIo), with nothing sent, when the store fails.
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests) {
    return start_all(std::move(requests)).finish();
  }

  /// Several sends in progress.
  class [[nodiscard]] Sending {
   public:
    Sending(Sending&&) noexcept;
    Sending& operator=(Sending&&) = delete;
    ~Sending();

    /// Waits until the events are in the streams; returns the result of send_all(). Call once.
    std::vector<SendOutcome> finish();

   private:
    friend class Sender;
    // On the heap, because the events in progress refer to it and it must not move.
    struct State;
    explicit Sending(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  /// The first half of send_all(): returns when the requests with qos are committed and all events have been handed
  /// over. Streams get events in the order of these calls. The Sending must be destroyed before the sender.
  Sending start_all(std::vector<SendRequest> requests);

  /// Delivers events from another node to streams of this node; like Hub::start_delivery().
  void deliver_local(std::vector<hub::Hub::Delivery> deliveries,
                     std::function<void(std::vector<std::vector<std::uint32_t>>)> done) {
    hub_.start_delivery(std::move(deliveries), std::move(done));
  }

  /// Like send() with qos, and then waits until all recipients have confirmed, or for `timeout`. The result contains
  /// for each recipient `confirmed`, `expired`, `deleted`, or the delivery state of the message.
  SendResult send_and_wait(const SendRequest& request, std::chrono::milliseconds timeout);
  /// The same without blocking for the confirmations: returns when send() would, and throws like send(), or
  /// Error(kUnavailable) when too many senders wait already, or for too many recipients; then `done` is not called.
  /// Otherwise `done` gets the result, once, on a thread that may block. No thread is occupied meanwhile.
  void send_then_wait(const SendRequest& request, std::chrono::milliseconds timeout,
                      std::function<void(const SendResult&)> done);
  /// The number of senders that wait for confirmations.
  std::size_t waiting() const { return waiting_sends_.size(); }
  /// Sends pending messages once more to the open streams of the whole cluster; returns how many streams took them.
  /// Skips rows of other services.
  std::uint64_t retry(const std::vector<store::PendingMessage>& rows);
  /// Sends messages that the store has made pending again (DeadLetters::requeue()), like send() after its commit.
  std::uint64_t send_requeued(const std::vector<store::PendingMessage>& rows);
  /// The delivery state of each message in the whole cluster. `missing` gets the nodes that did not reply.
  std::vector<hub::DeliveryState> find_delivery_states(const std::vector<store::PendingMessage>& rows,
                                                       std::vector<std::string>& missing);

  /// Like send(), without waiting for the streams or for other nodes. `done` gets the result on another thread,
  /// possibly a loop thread, and must be quick. It is destroyed uncalled when the sender is stopping. REQUIRES:
  /// sends_async(), no qos. Any thread, including loop threads.
  void send_async(SendRequest request, std::function<void(const SendResult&)> done);

  /// Like send_async(), with qos: `done` gets the result of send(), or the refusal it would throw, on any thread. It is
  /// destroyed uncalled when the sender is stopping. REQUIRES: stores_async(), a valid event.
  void store_async(SendRequest request, std::function<void(const SendOutcome&)> done) EXCLUDES(async_mutex_);

  /// False with a history, because a send may then have to wait for its place in the order; also false while too many
  /// sends wait for other nodes.
  bool sends_async() const { return options_.history.events == 0 && remote_sends_.load() < kMaxRemoteSends; }

  /// The same for store_async(); also false when the repository can only add synchronously.
  bool stores_async() const { return sends_async() && repository_.adds_async(); }

  /// Send calls accepted so far.
  std::uint64_t sends() const { return sent_.value() + sent_qos_.value(); }

  Trace& trace() { return trace_; }
  /// Writes the attempt counts of pending messages to the store, which may lag by a second otherwise.
  void flush_attempts() { attempts_.flush(); }

  /// Ends all waits for confirmations, including future ones, with the states known by now.
  void end_waits() { waiting_sends_.cancel(); }
  /// Ends the replays and the waits. Call it before the loops stop.
  void stop() EXCLUDES(async_mutex_);

 private:
  bool request_replay(const hub::ReplayRequest& request) override { return replay_source_.request(request); }
  void acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) override;
  void sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void stream_ended(ConnectionId connection, net::CloseReason reason) override {
    trace_.ended(connection, reason, clock_.wall_now());
  }
  /// `begin`: start of the call, for the histogram. The messages are stored already.
  Sending deliver(std::vector<SendRequest> requests, std::vector<SendOutcome> outcomes, SteadyTime begin,
                  DeliveryOrder::Place place);
  std::uint64_t publish_stored(const std::vector<store::PendingMessage>& rows, bool again);
  /// `missing` gets the nodes that did not reply, each once.
  void find_delivery_states_in_cluster(std::vector<hub::DeliveryState>& messages, std::vector<std::string>& missing);
  void withdrawn(const std::vector<store::Withdrawn>& gone);
  struct Awaited;
  /// The WaitingSends::Check.
  bool check(Awaited& awaited, bool over);
  void report_states(const SendRequest& request, const std::vector<store::Recipient>& confirmed, SendResult& result);
  using Recipients = std::unordered_set<store::Recipient, store::RecipientHash>;
  /// Those of `recipients` for which the message is pending, or the store cannot be read.
  Recipients pending_of(const std::vector<store::Recipient>& recipients, MessageId id);
  void opening(const hub::Names& names, std::function<void()> proceed) override;
  void left(const hub::Names& names) override;
  void client_opened(const hub::ClientKey& client, ConnectionId connection) override;
  /// Stores the messages with qos; returns their place in the delivery order.
  DeliveryOrder::Place store_messages(const std::vector<SendRequest>& requests, std::vector<SendOutcome>& outcomes);
  store::NewMessage message_of(SendRequest request) const;
  void note_stored(store::AddOutcome&& kept, WallTime created, SendOutcome& outcome);
  void stored_async(store::NewMessage&& message, store::AddOutcome&& kept, SteadyTime begin,
                    const std::shared_ptr<void>& open,
                    const std::shared_ptr<std::function<void(const SendOutcome&)>>& done);
  /// Gets the result of a delivery; `missing`: the nodes that may have missed it.
  using HandedOver = std::function<void(const event::Target& target, const std::vector<std::uint32_t>& taken,
                                        std::vector<std::string> missing)>;
  /// Delivers an event to the streams of this node and, with `everywhere` (of begin_async()), of other nodes. Does not
  /// wait; `done` is called like that of send_async().
  void hand_over(event::Target target, std::string event, event::FrameRef frame, std::shared_ptr<void> everywhere,
                 HandedOver done);
  std::shared_ptr<void> begin_async() EXCLUDES(async_mutex_);
  void report_sent(event::Target target, std::string event, bool qos, const SendOutcome& outcome) const;

  static constexpr std::size_t kMaxRemoteSends = 1024;

  const SenderOptions options_;
  IdGenerator& ids_;
  const Clock& clock_;
  store::MessageRepository& repository_;
  observe::Counter& sent_;
  observe::Counter& sent_qos_;
  observe::Counter& confirmed_;
  observe::Counter& repeated_;
  observe::Counter& refused_;
  observe::Counter& attempted_;
  observe::Counter& retried_;
  observe::Counter& collapsed_;
  observe::Counter& deleted_;
  Trace trace_;
  WaitingSends waiting_sends_;
  ConfirmationWaiter confirmation_waiter_;  // reports to waiting_sends_
  Attempts attempts_;
  observe::Histogram& send_seconds_;
  observe::Histogram& commit_seconds_;
  ReadFailureLog read_failures_;
  ReplaySource replay_source_;
  std::atomic<std::size_t> remote_sends_{0};  // asynchronous sends that wait for other nodes
  std::atomic<std::size_t> awaited_{0};       // recipients of waiting senders
  hub::Hub hub_;
  Publisher publisher_;
  const bool store_counts_;  ///< the store counts confirmations

  Mutex async_mutex_;
  CondVar async_changed_;
  std::size_t async_ GUARDED_BY(async_mutex_) = 0;  ///< asynchronous sends without a callback yet
  bool stopping_ GUARDED_BY(async_mutex_) = false;
};

}  // namespace sse::delivery
