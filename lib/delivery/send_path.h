#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "delivery/delivery_order.h"
#include "delivery/publisher.h"
#include "delivery/send_request.h"
#include "delivery/sends_in_progress.h"
#include "delivery/trace.h"
#include "delivery/unreached_messages.h"
#include "hub/hub.h"
#include "observe/metrics.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"

namespace sse::delivery {

/// The way of every send: the requests with qos are stored in one commit, then the events are published to the streams
/// of this node and of other nodes, and the last of them to deliver reports the outcomes. send_async() is that way;
/// send(), send_all() and start_all() wait for its end. Thread safe.
///
/// Why stored messages reach the streams in the order of their ids: each takes its place in the DeliveryOrder when it
/// is committed, whichever thread then continues.
class SendPath {
 public:
  struct Options {
    ServiceName service;
    std::chrono::milliseconds ttl{};  ///< of requests without one
    bool in_cluster = false;          ///< whether other nodes get the events, too
    bool resumable = false;           ///< with a history
    bool reports = false;             ///< whether the store makes delivery reports, for SendRequest::notify
    /// Called after every send, on the thread that completes it, without the data. May be empty; must be quick.
    std::function<void(const std::vector<SendRequest>&, const std::vector<SendOutcome>&)> on_sent{};
    /// Of a store whose messages reach the streams of all nodes; outlives the path. Null: send_unreached() does
    /// nothing.
    store::MessageCatalog* catalog = nullptr;
  };
  /// All references must outlive the path.
  SendPath(Options options, const hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
           store::MessageRepository& repository, Publisher& publisher, Trace& trace);

  /// Gets the outcome of each request, in order, on any thread, possibly a loop thread; must be quick and not throw.
  using Done = std::function<void(std::vector<SendOutcome> outcomes)>;
  /// Sends without waiting for the store, the streams or other nodes. `done` is destroyed uncalled when the server is
  /// stopping. A failure of the store is a refusal, too. REQUIRES: sends_async(request.qos). Any thread, including loop
  /// threads.
  void send_async(SendRequest request, Done done);
  /// Whether send_async() can be used. False while too many sends wait for other nodes, and with qos when the store can
  /// only add synchronously.
  bool sends_async(bool qos) const;

  /// Sends all in order, with one commit for all with qos. A request that is invalid or exceeds a limit is refused
  /// without affecting the others. Waits for the store only; `done` is called like that of send_async(). Throws
  /// Error(kIo), with nothing sent, when the store fails.
  void send_all_async(std::vector<SendRequest> requests, Done done) {
    start(std::move(requests), std::move(done), {}, false);
  }

  /// Several sends in progress, for a caller that waits.
  class [[nodiscard]] Sending {
   public:
    /// Waits until the events are in the streams, and other nodes have replied. Call once.
    std::vector<SendOutcome> finish();

   private:
    friend class SendPath;
    struct Answer;
    explicit Sending(std::shared_ptr<Answer> answer) : answer_(std::move(answer)) {}
    std::shared_ptr<Answer> answer_;
  };
  /// Gets the outcomes as they are known when the requests are stored, before any stream has the events.
  using Stored = std::function<void(const std::vector<SendOutcome>& outcomes)>;
  /// The first half of send_all(): returns when the requests with qos are committed and all events have been handed
  /// over. Streams get events in the order of these calls. Throws Error, with nothing sent: kIo when the store
  /// fails; on a loop thread, or while the loops do not run, like hub::Hub::check_may_wait().
  Sending start_all(std::vector<SendRequest> requests, const Stored& stored = {});
  /// Like send_all_async(), and waits.
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests) {
    return start_all(std::move(requests)).finish();
  }
  /// The same for one request; throws its refusal: kInvalidArgument for an event that a stream cannot carry,
  /// kLimitExceeded or kIo from the store.
  SendResult send(SendRequest request);

  /// Sends stored messages to the streams of the whole cluster and waits: with `again` also to streams that had them.
  /// Returns how many streams took them. Skips rows of other services, and damaged ones.
  std::uint64_t send_stored(const std::vector<store::PendingMessage>& rows, bool again);

  /// Whether a node did not answer to messages that were stored a while ago.
  bool any_unreached() const { return unreached_.due(clock_.steady_now()); }
  /// Publishes such messages again, as long as they are pending: the node may not know them, and its open streams would
  /// wait until they reconnect. Waits like send_stored(); throws Error when the store cannot be read, and keeps them
  /// then.
  void send_unreached();

  /// Send calls accepted so far.
  std::uint64_t sends() const { return sent_.value() + sent_qos_.value(); }
  std::chrono::milliseconds ttl_of(const SendRequest& request) const {
    return request.ttl.count() != 0 ? request.ttl : options_.ttl;
  }

  /// Waits for the sends that the store or other nodes complete. Call it before the loops stop.
  void stop() { in_progress_.stop(); }

 private:
  class Batch;
  class StoredBatch;

  void start(std::vector<SendRequest> requests, Done done, const Stored& stored, bool waits);
  void store_async(std::shared_ptr<Batch> batch);
  DeliveryOrder::Place store(Batch& batch);
  void publish(std::shared_ptr<Batch> batch, DeliveryOrder::Place place);
  store::NewMessage message_of(SendRequest&& request) const;
  void note_stored(store::AddOutcome&& added, WallTime created, SendOutcome& outcome);
  void note_unreached(const std::vector<Outgoing>& events);

  const Options options_;
  const hub::Hub& hub_;
  const Clock& clock_;
  store::MessageRepository& repository_;
  store::AsyncAdd* const async_add_;  ///< of repository_; null: it can only add synchronously
  Publisher& publisher_;
  Trace& trace_;
  UnreachedMessages unreached_;
  observe::Counter& sent_;
  observe::Counter& sent_qos_;
  observe::Counter& repeated_;
  observe::Counter& refused_;
  observe::Histogram& send_seconds_;
  observe::Histogram& commit_seconds_;
  SendsInProgress in_progress_;
};

}  // namespace sse::delivery
