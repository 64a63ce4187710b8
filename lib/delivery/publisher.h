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
#include "delivery/elsewhere.h"
#include "delivery/history.h"
#include "event/target.h"
#include "hub/hub.h"
#include "observe/metrics.h"

namespace sse::delivery {

/// An event that is ready to go.
struct Outgoing {
  const event::Target& target;
  const std::string& event;
  const std::string& data;
  MessageId message{};   ///< the store's id; not valid: at most once
  std::uint64_t id = 0;  ///< what the event goes by, 0: a new id. Out: what it went by
  bool local = false;    ///< in a cluster: to streams of this node alone
  bool again = false;    ///< also to streams that have had it; it is not kept a second time
};

/// Hands events to the streams, and with a history in one order that all streams and the history share. Thread safe.
///
/// Why "I have everything up to id N" is a sentence a client can rely on: an id is given, kept and posted to the stream
/// loops under one lock, and so is a connection's. Whatever has a smaller id than a connection was kept before it came;
/// whatever has a greater one goes to its loop after it. Only messages sent with qos get their ids elsewhere, when they
/// are committed; one that younger events overtook meanwhile goes out with an extra id behind it that says where in
/// the order it stands. The lock is held for appending and posting; events are encoded before.
class Publisher {
 public:
  Publisher(const HistoryOptions& options, hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
            const ServiceName& service, Elsewhere* elsewhere = nullptr);

  /// Events on their way.
  class [[nodiscard]] Underway {
   public:
    Underway(Underway&& other) noexcept = default;
    Underway& operator=(Underway&&) = delete;
    ~Underway() {
      if (flight_) flight_->wait();
    }

    /// Returns as Hub::deliver(), streams of other nodes included. Waits until the events are in the streams.
    /// `missing` gets the nodes that may not have got something. Once.
    std::vector<std::vector<std::uint32_t>> finish(std::vector<std::string>& missing);

   private:
    friend class Publisher;
    struct Flight {
      std::vector<hub::Hub::Delivery> deliveries;  // until they are handed over
      std::latch started{1};                       // then the rest is set
      hub::Hub::Underway here;
      std::unique_ptr<Elsewhere::Sent> away;
      std::vector<std::size_t> gone_away;  // numbers of the events that others get, too

      std::vector<std::vector<std::uint32_t>> wait() {
        started.wait();
        return here.wait();
      }
    };
    explicit Underway(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) {}

    std::shared_ptr<Flight> flight_;
  };
  /// Hands the events over in their order, and fills in their ids. Whatever they refer to, and they themselves, stay
  /// until the Underway is gone. Does not wait: where others have places before `place`, one of their threads does it.
  Underway start(std::vector<Outgoing>& events, DeliveryOrder::Place place = {}) EXCLUDES(order_);
  /// The order in which all that is sent goes to the streams.
  DeliveryOrder& order() { return delivery_order_; }
  /// Hub::connect(), the client's last event id respected: without a history by a resync event, unless its stream was
  /// ended just now because its time was over.
  ConnectionId connect(hub::NewConnection request) EXCLUDES(order_);
  /// As History.
  void withdraw(const std::vector<Withdrawn>& gone) EXCLUDES(order_) {
    if (!resumable_) return;
    const MutexLock lock(order_);
    history_.withdraw(gone);
  }
  /// Drops kept events that are too old.
  void expire() EXCLUDES(order_);

 private:
  void hand_over(std::vector<Outgoing>& events, Underway::Flight& flight) EXCLUDES(order_);

  Elsewhere* const elsewhere_;
  const ServiceName service_;
  hub::Hub& hub_;
  IdGenerator& ids_;
  DeliveryOrder delivery_order_;
  Mutex order_;
  observe::Counter& resyncs_;
  History history_ GUARDED_BY(order_);
  const bool resumable_;
  std::uint64_t last_ GUARDED_BY(order_) = 0;  // id or position given
};

}  // namespace sse::delivery
