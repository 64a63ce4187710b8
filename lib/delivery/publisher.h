#pragma once

#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
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
  MessageId message{};   ///< id in the store; invalid: an at-most-once event
  std::uint64_t id = 0;  ///< in: event id, 0 for a new one; out: the id used
  bool local = false;    ///< in a cluster: only to streams of this node
  bool again = false;    ///< also to streams that have had it; not added to the history again
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

  /// Events being delivered. The destructor waits for the streams of this node.
  class [[nodiscard]] InTransit {
   public:
    InTransit(InTransit&& other) noexcept = default;
    InTransit& operator=(InTransit&&) = delete;
    ~InTransit() {
      if (flight_) flight_->wait();
    }

    /// Waits until the events are in the streams and returns the result of Hub::deliver(), including streams of other
    /// nodes. `missing` gets the nodes that may have missed events. Call once.
    std::vector<std::vector<std::uint32_t>> finish(std::vector<std::string>& missing);

   private:
    friend class Publisher;
    struct Flight {
      std::vector<hub::Hub::Delivery> deliveries;  // until hand_over()
      std::latch started{1};                       // the fields below are set then
      hub::Hub::InTransit here;
      std::unique_ptr<RemoteNodes::Sent> away;
      std::vector<std::size_t> gone_away;  // indexes of the events that other nodes get, too

      std::vector<std::vector<std::uint32_t>> wait() {
        started.wait();
        return here.wait();
      }
    };
    explicit InTransit(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) {}

    std::shared_ptr<Flight> flight_;
  };
  /// Publishes the events in order and fills in their ids. `events`, and the objects they refer to, must stay valid
  /// until the InTransit is destroyed. Does not wait: while earlier places are open, the thread that completes the last
  /// of them publishes these events.
  InTransit start(std::vector<Outgoing>& events, DeliveryOrder::Place place = {}) EXCLUDES(order_);
  /// The order in which events go to the streams.
  DeliveryOrder& order() { return delivery_order_; }
  /// Calls Hub::connect() and resumes from the client's last event id. Without a history the client gets a resync
  /// event, unless its stream has just ended at keepaliveTime.
  ConnectionId connect(hub::NewConnection request) EXCLUDES(order_);
  /// Like History::withdraw().
  void withdraw(const std::vector<store::Withdrawn>& gone) EXCLUDES(order_) {
    if (!resumable_) return;
    const MutexLock lock(order_);
    history_.withdraw(gone);
  }
  /// Drops events from the history that are too old.
  void expire() EXCLUDES(order_);

 private:
  void hand_over(std::vector<Outgoing>& events, InTransit::Flight& flight) EXCLUDES(order_);

  RemoteNodes* const remote_nodes_;
  const ServiceName service_;
  hub::Hub& hub_;
  IdGenerator& ids_;
  DeliveryOrder delivery_order_;
  Mutex order_;
  observe::Counter& resyncs_;
  History history_ GUARDED_BY(order_);
  const bool resumable_;
  std::uint64_t last_ GUARDED_BY(order_) = 0;  // id or position last assigned
};

}  // namespace sse::delivery
