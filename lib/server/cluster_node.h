#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_routes.h"
#include "application/service.h"
#include "auth/tickets.h"
#include "cluster/http_cluster.h"
#include "cluster/mesh/mesh_repository.h"
#include "event/json.h"
#include "net/byte_budget.h"
#include "observe/metrics.h"
#include "pages/relayed_bodies.h"
#include "server/cluster_gateway.h"
#include "server/public_front.h"
#include "server/server.h"
#include "server/stores.h"
#include "store/ticket_store.h"

namespace sse::server {

/// A server's membership in a cluster: the connection to the other nodes, and what executes and forwards requests.
class ClusterNode {
 public:
  /// All of it must outlive stop().
  struct Parts {
    const std::vector<application::Service>& services;
    PublicFront& pages;
    net::HttplibApp& admin;
    const admin::AdminToken& token;
    net::ByteBudget& disk;  ///< of request bodies on disk
    observe::Registry& metrics;
  };

  /// Connects to Redis or the discovery, and routes requests of `parts.pages` and `parts.admin` through the cluster.
  /// `facts`: as cluster::LocalNode. REQUIRES: --cluster or --discovery is set. Throws Error.
  ClusterNode(const ServerOptions& options, const std::string& server_id, const Parts& parts,
              std::function<event::Json()> facts);

  /// Joins the cluster; returns the number of this node for its IdGenerator. Throws Error.
  unsigned join() { return cluster_->join(*gateway_); }
  /// Makes the store of this node a part of the mesh's, unless the nodes share a store. Call before start().
  void share(Stores& stores);
  /// The tickets of all nodes: in Redis, or each node's own. Call after join(). Throws Error.
  std::unique_ptr<store::TicketStore> open_tickets(const ServerOptions& options, const std::string& server_id,
                                                   store::TicketLimits limits) const;
  /// Lets other nodes ask about these, and `tickets` ask them. Both must outlive stop(). Call before start().
  void share_tickets(store::TicketStore& store, auth::Tickets& tickets);
  /// Call before the first stream opens, which waits for its subscriptions.
  void start();
  void stop();
  /// Reads the certificates between nodes again, for connections from now on. Throws Error(kInvalidArgument); the old
  /// ones then stay in use.
  void reload();

  cluster::Cluster& cluster() const { return *cluster_; }
  ClusterGateway& gateway() const { return *gateway_; }
  /// Discards request bodies whose transfer from another node stalls.
  void sweep() { bodies_.sweep(); }

  /// Topics that this node subscribes to.
  std::size_t topics() const { return cluster_->interest().topics(); }
  /// Where nodes talk to each other directly: their bus, else null.
  const cluster::HttpBus* bus() const { return bus_; }
  /// In a mesh: recipients for which this node stores messages.
  std::size_t held_recipients() const { return mesh_repository_ == nullptr ? 0 : mesh_repository_->held(); }

 private:
  const Clock& clock_;
  const std::vector<application::Service>& services_;
  pages::RelayedBodies bodies_;
  // The gateway outlives its callers.
  std::unique_ptr<ClusterGateway> gateway_;
  std::unique_ptr<cluster::Cluster> cluster_;
  cluster::HttpBus* bus_ = nullptr;                     ///< owned by cluster_
  cluster::MeshRepository* mesh_repository_ = nullptr;  ///< owned by the Stores
};

}  // namespace sse::server
