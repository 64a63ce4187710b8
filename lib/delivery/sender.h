#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "delivery/attempts.h"
#include "delivery/confirmed_sends.h"
#include "delivery/delivery_states.h"
#include "delivery/history.h"
#include "delivery/publisher.h"
#include "delivery/read_failure_log.h"
#include "delivery/remote_nodes.h"
#include "delivery/replay_source.h"
#include "delivery/send_path.h"
#include "delivery/send_request.h"
#include "delivery/trace.h"
#include "hub/hub.h"
#include "net/event_loop.h"
#include "observe/metrics.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"

namespace sse::delivery {

struct SenderOptions {
  hub::HubOptions hub;
  std::chrono::milliseconds ttl = std::chrono::days(7);
  RemoteNodes* remote_nodes = nullptr;  ///< the other nodes, outlives the sender; null: no cluster
  /// Called after every send, on the thread that completes it, without the data. May be empty; must be quick.
  std::function<void(const std::vector<SendRequest>&, const std::vector<SendOutcome>&)> on_sent{};
  store::AttemptLog* attempts = nullptr;  ///< outlives the sender; null: attempts are not counted
  HistoryOptions history;
  bool reports = false;  ///< whether the store makes delivery reports (store::Outbox), for SendRequest::notify
};

/// Sends events to the connections of one service. Messages accepted with qos are delivered at least once: the sender
/// commits them to the store, delivers them to open streams, replays them to streams that open later, and deletes them
/// when confirmed. Thread safe. It joins the parts that do this: the SendPath, the ReplaySource, the ConfirmedSends and
/// the Hub with the streams.
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
  /// What the history has of a channel; nullopt without a history.
  std::optional<History::Retained> history_of(const ChannelName& channel) { return publisher_.retained(channel); }

  // As SendPath. These wait, and so are refused on a loop thread and while the loops do not run:
  using Sending = SendPath::Sending;
  SendResult send(SendRequest request) { return send_path_.send(std::move(request)); }
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests) {
    return send_path_.send_all(std::move(requests));
  }
  Sending start_all(std::vector<SendRequest> requests) { return send_path_.start_all(std::move(requests)); }
  // These do not wait for the streams and other nodes:
  void send_all_async(std::vector<SendRequest> requests, SendPath::Done done) {
    send_path_.send_all_async(std::move(requests), std::move(done));
  }
  void send_async(SendRequest request, SendPath::Done done) {
    send_path_.send_async(std::move(request), std::move(done));
  }
  bool sends_async(bool qos) const { return send_path_.sends_async(qos); }
  /// Send calls accepted so far.
  std::uint64_t sends() const { return send_path_.sends(); }

  /// Like send() with qos, and then waits until all recipients have confirmed, or for `timeout`. The result contains
  /// for each recipient `confirmed`, `expired`, `deleted`, or the delivery state of the message.
  SendResult send_and_wait(const SendRequest& request, std::chrono::milliseconds timeout) {
    return confirmed_sends_.send_and_wait(request, timeout);
  }
  /// The same without blocking for the confirmations: returns when send() would, and throws like send(), or
  /// Error(kUnavailable) when too many senders wait already, or for too many recipients; then `done` is not called.
  /// Otherwise `done` gets the result, once, on a thread that may block. No thread is occupied meanwhile.
  void send_then_wait(const SendRequest& request, std::chrono::milliseconds timeout,
                      std::function<void(const SendResult&)> done) {
    confirmed_sends_.send_then_wait(request, timeout, std::move(done));
  }
  /// The number of senders that wait for confirmations.
  std::size_t waiting() const { return confirmed_sends_.size(); }

  /// Sends pending messages once more to the open streams of the whole cluster; returns how many streams took them.
  /// Skips rows of other services.
  std::uint64_t retry(const std::vector<store::PendingMessage>& rows);
  bool any_unreached() const { return send_path_.any_unreached(); }
  /// As SendPath; called periodically.
  void send_unreached() { send_path_.send_unreached(); }
  /// Sends messages that the store has made pending again (DeadLetters::requeue()), like send() after its commit.
  std::uint64_t send_requeued(const std::vector<store::PendingMessage>& rows);
  /// The delivery state of each message in the whole cluster. `missing` gets the nodes that did not reply.
  std::vector<hub::DeliveryState> find_delivery_states(const std::vector<store::PendingMessage>& rows,
                                                       std::vector<std::string>& missing) {
    return delivery_states_.find(rows, missing);
  }
  /// Delivers events from another node to streams of this node; like Hub::start_delivery().
  void deliver_local(std::vector<hub::Hub::Delivery> deliveries,
                     std::function<void(std::vector<std::vector<std::uint32_t>>)> done);

  Trace& trace() { return trace_; }
  /// Writes the attempt counts of pending messages to the store, which may lag by a second otherwise.
  void flush_attempts() { attempts_.flush(); }

  /// Ends all waits for confirmations, including future ones, with the states known by now.
  void end_waits() { confirmed_sends_.cancel(); }
  /// Ends the replays and the waits. Call it before the loops stop.
  void stop();

 private:
  bool request_replay(const hub::ReplayRequest& request) override { return replay_source_.request(request); }
  void acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) override;
  void sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void stream_ended(ConnectionId connection, net::CloseReason reason) override {
    trace_.ended(connection, reason, clock_.wall_now());
  }
  void opening(const hub::Names& names, std::function<void()> proceed) override;
  void left(const hub::Names& names) override;
  void client_opened(const hub::ClientKey& client, ConnectionId connection) override;

  void withdrawn(const std::vector<store::Withdrawn>& gone);
  void log_step(MessageId message, std::string_view what, ConnectionId connection) const;

  const SenderOptions options_;
  const Clock& clock_;
  store::MessageRepository& repository_;
  observe::Counter& confirmed_;
  observe::Counter& attempted_;
  observe::Counter& retried_;
  observe::Counter& collapsed_;
  observe::Counter& deleted_;
  Trace trace_;
  Attempts attempts_;
  ReadFailureLog read_failures_;
  // Before the hub, which calls them until it is destroyed; they refer to the members behind it.
  ReplaySource replay_source_;
  ConfirmedSends confirmed_sends_;
  hub::Hub hub_;
  Publisher publisher_;
  SendPath send_path_;
  DeliveryStates delivery_states_;
  // Of repository_; null: it cannot.
  store::ConfirmationCounter* const counter_;
  store::WithdrawalReports* const withdrawals_;
  store::SharedStore* const shared_store_;
};

}  // namespace sse::delivery
