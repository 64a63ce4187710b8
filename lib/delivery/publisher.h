#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/trace_context.h"
#include "delivery/channel_history.h"
#include "delivery/delivery_order.h"
#include "delivery/history.h"
#include "delivery/remote_nodes.h"
#include "event/target.h"
#include "hub/hub.h"
#include "observe/metrics.h"

namespace sse::delivery {

/// An event to publish.
struct Outgoing {
  const event::Target& target;
  const std::string& event;
  const std::string& data;
  MessageId message{};        ///< id in the store; invalid: an at-most-once event
  std::uint64_t id = 0;       ///< in: event id, 0 for a new one; out: the id used
  bool local = false;         ///< in a cluster: only to streams of this node
  bool again = false;         ///< also to streams that have had it; not added to the history again
  std::size_t number = 0;     ///< for the owner
  std::string_view except{};  ///< clientId or clientInstanceId of streams that do not get it; empty: all do
  /// The event is also for the targets of the next entries, up to one without this: it has one id, and a stream gets it
  /// once.
  bool goes_on = false;
  const TraceContext* trace = nullptr;  ///< null: none
};

/// Events being published, from Publisher::start() until all streams and nodes have them. The derived class owns what
/// `events` refers to. The functions are called on any thread, one after the other, and must be quick and not throw.
class Publication {
 public:
  Publication() = default;
  virtual ~Publication() = default;
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

 protected:
  /// The events are encoded: without a history, their data is not used any more.
  virtual void encoded() {}
  /// The events are on their way to the loops and nodes, which may have called published() already.
  virtual void handed_over() {}
  /// Gets the result of Hub::deliver(), including streams of other nodes, and the nodes that may have missed events.
  /// Called once; not at all when a loop has stopped, and then the publication is destroyed.
  virtual void published(std::vector<std::vector<std::uint32_t>> taken, std::vector<std::string> missing) = 0;

  std::vector<Outgoing> events;

 private:
  friend class Publisher;
  void part_done();

  std::vector<hub::Hub::Delivery> deliveries_;  // until they are handed over
  std::atomic<int> parts_{1};                   // not yet done: this node and the other ones
  std::vector<std::vector<std::uint32_t>> here_;
  std::vector<std::uint32_t> away_;  // by event and name, without local events
  std::vector<std::string> missing_;
};

/// Publishes events to the streams; with a history, in one order that all streams and the history share. Thread safe.
///
/// A last event id N means "everything up to N", because an event gets its id, is added to the history and is posted to
/// the stream loops under one lock, and a connection gets its id under the same lock. Events with a smaller id than the
/// connection were added before it; events with a greater id are posted to its loop after it. Only messages sent with
/// qos get their ids earlier, when they are committed; if newer events overtake one, it is sent with an extra id behind
/// it that states its position in the order. The lock covers appending and posting; events are encoded before.
class Publisher {
 public:
  Publisher(const HistoryOptions& options, hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
            const ServiceName& service, RemoteNodes* remote_nodes = nullptr);

  /// Publishes `publication->events`, which are not empty, in order and fills in their ids. Does not wait: while
  /// earlier places are open, the thread that completes the last of them publishes these events. In a cluster this
  /// object must outlive the publication.
  void start(std::shared_ptr<Publication> publication, DeliveryOrder::Place place = {}) EXCLUDES(order_);
  /// Calls of start() that wait for other nodes.
  std::size_t remote_sends() const { return remote_sends_.load(); }
  /// The order in which events go to the streams.
  DeliveryOrder& order() { return delivery_order_; }
  /// Calls Hub::connect() and resumes from the client's last event id. Without a history the client gets a resync
  /// event, unless its stream has just ended at keepaliveTime.
  ConnectionId connect(hub::NewConnection request) EXCLUDES(order_);
  /// Returns at most `limit` retained events of a channel that a stream catches up with, and no more bytes than a page
  /// of a replay has. Without a history there are none, which the client is told.
  ChannelHistoryPage read_channel(const hub::ChannelCatchUp& wanted, std::size_t limit) EXCLUDES(order_);
  /// Like History::withdraw().
  void withdraw(const std::vector<store::Withdrawn>& gone) EXCLUDES(order_) {
    if (!resumable_) return;
    const MutexLock lock(order_);
    history_.withdraw(gone);
  }
  /// Drops events from the history that are too old.
  void expire() EXCLUDES(order_);
  /// What the history has of a channel; nullopt without a history.
  std::optional<History::Retained> retained(const ChannelName& channel) EXCLUDES(order_) {
    const MutexLock lock(order_);
    if (!history_.on()) return std::nullopt;
    return history_.retained(event::TargetKind::kChannel, channel.str());
  }

 private:
  void encode_all(Publication& publication);
  void hand_over(const std::shared_ptr<Publication>& publication) EXCLUDES(order_);
  void hand_over_in_cluster(const std::shared_ptr<Publication>& publication,
                            std::vector<hub::Hub::Delivery> deliveries);
  void assign_positions(std::vector<Outgoing>& events, std::vector<hub::Hub::Delivery>& deliveries) REQUIRES(order_);
  void deliver_here(const std::shared_ptr<Publication>& publication, std::vector<hub::Hub::Delivery> deliveries);

  RemoteNodes* const remote_nodes_;
  const ServiceName service_;
  hub::Hub& hub_;
  IdGenerator& ids_;
  DeliveryOrder delivery_order_;
  std::atomic<std::size_t> remote_sends_{0};
  Mutex order_;
  observe::Counter& resyncs_;
  observe::Counter& resumed_events_;
  History history_ GUARDED_BY(order_);
  const bool resumable_;
  std::uint64_t last_ GUARDED_BY(order_) = 0;  // id or position last assigned
};

}  // namespace sse::delivery
