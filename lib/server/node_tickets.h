#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "auth/tickets.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cluster/core/cluster.h"
#include "cluster/core/wire.h"
#include "store/memory/memory_tickets.h"
#include "store/ticket_store.h"

namespace sse::server {

/// The tickets of a mesh: each node stores its own, and a ticket names its node, which all others ask for it. Tickets
/// of a node that is gone are lost.
class MeshTickets final : public store::TicketStore {
 public:
  /// References must outlive this.
  MeshTickets(cluster::Cluster& cluster, store::TicketLimits limits, const Clock& clock)
      : cluster_(cluster), own_(limits, clock) {}

  void add(const store::TicketKey& key, std::string value, std::chrono::milliseconds lifetime) override {
    own_.add(key, std::move(value), lifetime);
  }
  std::optional<std::string> find(const store::TicketKey& key) override;
  std::optional<std::string> take(const store::TicketKey& key) override;
  std::size_t size() override { return own_.size(); }

 private:
  std::optional<std::string> ask(const char* operation, const store::TicketKey& key);

  cluster::Cluster& cluster_;
  store::MemoryTickets own_;
};

/// Handles what other nodes ask about tickets and request keys of this node. Thread safe.
class TicketOperations {
 public:
  /// References must outlive this. `node`: the number of this node.
  TicketOperations(store::TicketStore& store, const auth::Tickets& tickets, unsigned node)
      : store_(store), tickets_(tickets), node_(node) {}

  /// nullopt for other operations.
  std::optional<cluster::AdminReply> operator()(const cluster::AdminCommand& command) const;

 private:
  store::TicketStore& store_;
  const auth::Tickets& tickets_;
  const unsigned node_;
};

/// Asks the node of the connection whether it has made the request key; false if no other node has that number. Throws
/// Error: kUnavailable, kTimeout.
bool made_elsewhere(cluster::Cluster& cluster, ConnectionId connection, const std::string& request_key);

}  // namespace sse::server
