#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "cluster/core/wire.h"
#include "event/json.h"

namespace sse::cluster {

/// The node's own services that other nodes call, and what it publishes about itself. Thread safe.
class LocalNode {
 public:
  /// Sends the frames to this node's streams, in their order; `done` receives the number of streams that took each, on
  /// any thread. Called on the bus' thread; may block while too many deliveries are in progress.
  virtual void deliver(std::vector<DeliverCommand> commands, std::function<void(std::vector<std::uint32_t>)> done) = 0;
  /// Handles a request that another node forwarded to this node alone; returns the raw response. May block.
  virtual std::string handle(const RequestCommand& command) = 0;
  /// As handle(), for requests that may wait for an event: `done` receives the response once, now or later, on any
  /// thread. Occupies the calling thread no longer than other requests do.
  virtual void handle_async(const RequestCommand& command, std::function<void(std::string)> done) {
    done(handle(command));
  }
  /// Handles an operation of the admin API for the part of this node. May block.
  virtual AdminReply handle_admin(const AdminCommand& /*command*/) { return {501}; }
  /// Stores a chunk of the body of a request that follows; returns the reply described at BodyCommand. May block.
  virtual std::string store_body_chunk(const BodyCommand& /*command*/) {
    return "501 this node accepts no body chunks";
  }
  /// Returns each client's open streams on this node; replace() closes some of them. Called on the bus' thread.
  virtual std::vector<std::vector<ConnectionId>> connections_of(const std::vector<ClientCommand>& clients) {
    return std::vector<std::vector<ConnectionId>>(clients.size());
  }
  virtual void replace(const ReplaceCommand& /*command*/) {}
  /// Returns what this node knows of the state of pending messages, in their order. Called on the bus' thread.
  virtual std::vector<Place> find_delivery_states(const std::vector<DeliveryStateCommand>& messages) {
    return std::vector<Place>(messages.size());
  }
  /// Takes what another node tells about the members of channels. Called on the bus' thread; must be quick.
  virtual void take_presence(const std::string& /*node*/, const PresenceCommand& /*command*/) {}
  /// Events that were sent while this node was unreachable were not received: check the pending messages.
  virtual void on_messages_missed() = 0;
  /// What this node publishes in the list of nodes. Called often, so it must be quick.
  virtual event::Json facts() = 0;

 protected:
  ~LocalNode() = default;
};

}  // namespace sse::cluster
