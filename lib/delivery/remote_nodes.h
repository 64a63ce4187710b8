#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "hub/hub.h"

namespace sse::delivery {

/// Interface of a sender to the other nodes of a cluster: sends events to them and queries delivery states. Thread
/// safe.
class RemoteNodes {
 public:
  /// Events being sent to other nodes.
  class Sent {
   public:
    virtual ~Sent() = default;
    /// `done` gets the counts of other nodes, by delivery and name, and the nodes that may have missed events. It is
    /// called once, immediately or on any thread; must be quick. Call then() once.
    using Done = std::function<void(const std::vector<std::uint32_t>& taken, std::vector<std::string> missing)>;
    virtual void then(Done done) = 0;
  };
  /// Sends immediately; never blocks, never throws.
  virtual std::unique_ptr<Sent> send(const ServiceName& service, const std::vector<hub::Hub::Delivery>& deliveries) = 0;

  /// False when no stream of the target is open on this node, nor was one between subscribe() and unsubscribe() during
  /// the call.
  virtual bool may_have_local_streams(const ServiceName& service, const event::Target& target) = 0;

  /// A stream with these names is about to open: subscribes to them and calls `proceed`, once, when this node receives
  /// events for them from other nodes, or when it cannot subscribe now. Any thread.
  virtual void subscribe(const ServiceName& service, const hub::Names& names, std::function<void()> proceed) = 0;
  /// That stream has closed, or could not be opened. Called once for every subscribe(). Any thread.
  virtual void unsubscribe(const ServiceName& service, const hub::Names& names) = 0;

  /// Raises the states of pending messages to those on other nodes. Returns the nodes that did not reply; messages
  /// about which they may know more are marked `unread`. Waits a short time.
  virtual std::vector<std::string> find_delivery_states(const ServiceName& service,
                                                        std::vector<hub::DeliveryState>& messages) = 0;

  /// A stream of this client has opened: if the client has too many in the whole cluster, the oldest ones are closed.
  /// Called on a loop thread; does not wait.
  virtual void client_opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) = 0;

 protected:
  ~RemoteNodes() = default;
};

}  // namespace sse::delivery
