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
#include "delivery/delivery_order.h"
#include "delivery/elsewhere.h"
#include "delivery/history.h"
#include "delivery/message_repository.h"
#include "delivery/publisher.h"
#include "delivery/trace.h"
#include "delivery/waiting_sends.h"
#include "delivery/waits.h"
#include "event/target.h"
#include "hub/hub.h"
#include "net/event_loop.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::delivery {

/// What somebody wants sent.
struct SendRequest {
  event::Target target;  ///< normalized
  std::string event;
  std::string data;
  bool qos = false;                  ///< at least once: kept until confirmed
  std::chrono::milliseconds ttl{0};  ///< with qos; 0: the sender's default
  std::string key{};                 ///< with qos: makes a repeat of the request harmless
  std::string collapse{};            ///< with qos: takes the place of what is pending with the same word
  bool local = false;                ///< in a cluster: to streams of this node alone
  MessageId original{};              ///< of an imported message: see NewMessage
  bool awaited = false;              ///< with qos: of one that waits, see NewMessage
};

struct SendResult {
  struct Recipient {
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;
    std::uint32_t delivered = 0;  ///< connections that took the event into their stream
    std::string state{};          ///< after a wait: `confirmed`, or why not, see state_name()
  };

  std::uint64_t id = 0;
  std::uint64_t delivered = 0;
  std::uint64_t pending = 0;  ///< recipients it was committed for; 0 without qos
  bool repeated = false;      ///< its key was known: this is what became of the first request, nothing was sent
  std::vector<Recipient> recipients;
  std::vector<std::string> missing{};  ///< nodes of the cluster that may not have got it, or did not say in time
};

/// What became of one of several.
struct SendOutcome {
  SendResult result;
  std::optional<AddOutcome::Refusal> refusal;  ///< set: nothing was sent
};

struct SenderOptions {
  hub::HubOptions hub;
  std::chrono::milliseconds ttl = std::chrono::days(7);
  Elsewhere* elsewhere = nullptr;  ///< the rest of the cluster, outlives the sender; null: there is none
  /// Hears of every call that sends, on its thread and when all is done. May be empty; must be quick.
  std::function<void(const std::vector<SendRequest>&, const std::vector<SendOutcome>&)> on_sent{};
  AttemptLog* attempts = nullptr;  ///< outlives the sender; null: deliveries are not counted
  HistoryOptions history;
};

/// `in-flight`, `waiting`, `not-listening`, `offline`; `unknown` where a node that may know more did not say.
std::string_view state_name(const hub::Whereabouts& message);

/// Sends to one service's connections, and sees to it that what was accepted with qos arrives: commits first, delivers
/// to whoever is there, replays to whoever comes, forgets when confirmed. Thread safe.
///
/// Why nothing is missed: a stream is registered before its pending messages are read, and a message is committed
/// before it is delivered to streams. So either the reader sees the message or the delivery sees the stream (the hub
/// drops doubles).
class Sender final : private hub::HubDelegate {
 public:
  /// All references must outlive the sender; `loops` must not be started yet. The clock is that of `ids`.
  Sender(SenderOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
         observe::Registry& metrics, MessageRepository& repository);
  /// REQUIRES: stop() was called and the loops have stopped.
  ~Sender();

  const ServiceName& service() const { return options_.hub.service; }
  /// Whether other nodes may have streams of its receivers.
  bool in_cluster() const { return options_.elsewhere != nullptr; }
  const Clock& clock() const { return clock_; }
  hub::Hub& hub() { return hub_; }
  const hub::Hub& hub() const { return hub_; }

  /// Takes a stream: Hub::connect(), and the client gets first what it missed since its last event id (History).
  ConnectionId connect(hub::NewConnection request) { return publisher_.connect(std::move(request)); }
  /// Drops kept events that are too old. From time to time.
  void expire_history() { publisher_.expire(); }

  /// Blocks until committed (qos) and taken into the streams. Throws Error: kInvalidArgument for an event no stream can
  /// carry, kLimitExceeded or kIo from the repository, and then nothing was sent. Not from a loop thread.
  SendResult send(const SendRequest& request);
  /// As send() for each of them, in their order, with one commit for all that want qos. One that makes no sense or is
  /// over a limit is refused alone. Throws Error(kIo) when the store failed: then nothing was sent.
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests) {
    return start_all(std::move(requests)).finish();
  }

  /// Several that are on their way.
  class [[nodiscard]] Sending {
   public:
    Sending(Sending&&) noexcept;
    Sending& operator=(Sending&&) = delete;
    ~Sending();

    /// Waits until they are in the streams; returns as send_all(). Once.
    std::vector<SendOutcome> finish();

   private:
    friend class Sender;
    // What the events on their way refer to does not move.
    struct State;
    explicit Sending(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  /// The first half of send_all(): returns when what wants qos is committed and everything has been handed over;
  /// streams get what was started first before what is started next. The Sending goes before the sender does.
  Sending start_all(std::vector<SendRequest> requests);

  /// What another node sent, for streams here; as Hub::start_delivery().
  void deliver_here(std::vector<hub::Hub::Delivery> deliveries,
                    std::function<void(std::vector<std::vector<std::uint32_t>>)> done) {
    hub_.start_delivery(std::move(deliveries), std::move(done));
  }

  /// As send() with qos, and then waits until all recipients have confirmed, or for `patience`. The result tells for
  /// each recipient `confirmed`, `expired`, `deleted`, or where the message is now.
  SendResult send_and_wait(const SendRequest& request, std::chrono::milliseconds patience);
  /// The same in two steps: returns as soon as send() would, and throws what that would, or Error(kUnavailable) when
  /// very many wait already, or for very many recipients; then `done` is not called. Else it gets the result, once, on
  /// a thread that may block; no thread waits meanwhile.
  void send_then_wait(const SendRequest& request, std::chrono::milliseconds patience,
                      std::function<void(const SendResult&)> done);
  /// Those who wait for confirmations now.
  std::size_t waiting() const { return waiting_sends_.size(); }
  /// Sends a message that is pending once more to those connected now, in the whole cluster; returns how many streams
  /// took it. Rows of other services are left out.
  std::uint64_t retry(const std::vector<PendingMessage>& rows);
  /// Sends what the store has made pending again (DeadLetters::requeue()), as send() does with what it has committed.
  std::uint64_t send_requeued(const std::vector<PendingMessage>& rows);
  /// Where each of these is now, in the whole cluster. `missing` gets the nodes that did not say.
  std::vector<hub::Whereabouts> locate(const std::vector<PendingMessage>& rows, std::vector<std::string>& missing);

  /// As send(), without waiting for the streams or for other nodes; `done` gets the result on another thread, which may
  /// be a loop's, and must be quick. It is destroyed uncalled when the sender is stopping. REQUIRES: sends_soon(), no
  /// qos. Any thread, loop threads included.
  void send_soon(SendRequest request, std::function<void(const SendResult&)> done);

  /// As send_soon(), with qos: `done` gets what send() would return, or the refusal it would throw, on any thread. It
  /// is destroyed uncalled when the sender is stopping. REQUIRES: keeps_soon(), a valid event.
  void keep_soon(SendRequest request, std::function<void(const SendOutcome&)> done) EXCLUDES(soon_mutex_);

  /// False with a history: a send may then have to wait for its place in the order; and while very many wait for other
  /// nodes.
  bool sends_soon() const { return options_.history.events == 0 && away_.load() < kMostAway; }

  /// The same for keep_soon(); false where the repository makes everybody wait, too.
  bool keeps_soon() const { return sends_soon() && repository_.adds_soon(); }

  /// Send calls accepted so far.
  std::uint64_t sends() const { return sent_.value() + sent_qos_.value(); }

  Trace& trace() { return trace_; }
  /// Writes down how often what is pending was sent: until then the store may lag by a second.
  void flush_attempts() { attempts_.flush(); }

  /// Those who wait get what is known by now, also those to come.
  void end_waits() { waiting_sends_.cancel(); }
  /// Ends the replays and the waits. Before the loops stop.
  void stop() EXCLUDES(soon_mutex_);

 private:
  bool replay_wanted(const hub::ReplayRequest& request) override;
  void acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) override;
  void sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) override;
  void cut_off(ConnectionId connection, net::CloseReason reason) override {
    trace_.ended(connection, reason, clock_.wall_now());
  }
  /// `begin`: of the call, for the histogram. The messages are kept already.
  Sending deliver(std::vector<SendRequest> requests, std::vector<SendOutcome> outcomes, SteadyTime begin,
                  DeliveryOrder::Place place);
  std::uint64_t give_out(const std::vector<PendingMessage>& rows, bool again);
  /// `missing` gets the nodes that did not say, each once.
  void locate_everywhere(std::vector<hub::Whereabouts>& messages, std::vector<std::string>& missing);
  void withdrawn(const std::vector<Withdrawn>& gone);
  struct Awaited;
  /// Of WaitingSends.
  bool look(Awaited& awaited, bool over);
  void tell_states(const SendRequest& request, const std::vector<Recipient>& confirmed, SendResult& result);
  using Recipients = std::unordered_set<Recipient, RecipientHash>;
  /// Those of `recipients` that have the message pending, or of which that cannot be read.
  Recipients pending_of(const std::vector<Recipient>& recipients, MessageId id);
  void opening(const hub::Names& names, std::function<void()> go_on) override;
  void left(const hub::Names& names) override;
  void client_opened(const hub::ClientKey& client, ConnectionId connection) override;
  /// Returns where what was kept stands among all that is.
  DeliveryOrder::Place keep(const std::vector<SendRequest>& requests, std::vector<SendOutcome>& outcomes);
  NewMessage message_of(SendRequest request) const;
  void note_kept(AddOutcome&& kept, WallTime created, SendOutcome& outcome);
  void kept_soon(NewMessage&& message, AddOutcome&& kept, SteadyTime begin, const std::shared_ptr<void>& open,
                 const std::shared_ptr<std::function<void(const SendOutcome&)>>& done);
  /// What became of it; the nodes that may have missed it.
  using HandedOver = std::function<void(const event::Target& target, const std::vector<std::uint32_t>& taken,
                                        std::vector<std::string> missing)>;
  /// Gives an event to the streams here and, where there is an `everywhere` of begin_soon(), of other nodes. Does not
  /// wait; `done` as of send_soon().
  void hand_over(event::Target target, std::string event, event::FrameRef frame, std::shared_ptr<void> everywhere,
                 HandedOver done);
  std::shared_ptr<void> begin_soon() EXCLUDES(soon_mutex_);
  void tell_sent(event::Target target, std::string event, bool qos, const SendOutcome& outcome) const;
  void replay_page(const hub::ReplayRequest& request);
  void note_unread(const std::string& why);

  static constexpr std::size_t kMostAway = 1024;

  const SenderOptions options_;
  IdGenerator& ids_;
  const Clock& clock_;
  MessageRepository& repository_;
  observe::Counter& sent_;
  observe::Counter& sent_qos_;
  observe::Counter& confirmed_;
  observe::Counter& replayed_;
  observe::Counter& repeated_;
  observe::Counter& refused_;
  observe::Counter& attempted_;
  observe::Counter& retried_;
  observe::Counter& collapsed_;
  observe::Counter& deleted_;
  Trace trace_;
  WaitingSends waiting_sends_;
  Waits waits_;  // reports to waiting_sends_
  Attempts attempts_;
  observe::Histogram& send_seconds_;
  observe::Histogram& commit_seconds_;
  net::WorkerPool replayers_;
  std::atomic<std::int64_t> last_unread_{0};  // when that was logged
  std::atomic<std::size_t> away_{0};          // of send_soon(), without an answer of other nodes
  std::atomic<std::size_t> awaited_{0};       // recipients of those who wait
  hub::Hub hub_;
  Publisher publisher_;
  const bool store_counts_;  ///< what is confirmed

  Mutex soon_mutex_;
  CondVar soon_changed_;
  std::size_t soon_ GUARDED_BY(soon_mutex_) = 0;  ///< what others have and have not called back for
  bool stopping_ GUARDED_BY(soon_mutex_) = false;
};

}  // namespace sse::delivery
