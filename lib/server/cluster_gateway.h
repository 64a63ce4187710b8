#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_routes.h"
#include "cluster/core/cluster.h"
#include "cluster/core/raw_http.h"
#include "delivery/remote_nodes.h"
#include "event/json.h"
#include "net/httplib_app.h"
#include "pages/client_limiter.h"
#include "pages/cluster_pages.h"
#include "pages/page_routes.h"
#include "pages/relayed_bodies.h"
#include "presence/tracker.h"

namespace sse::server {

class CanaryStreams;

/// Makes a server a node of a cluster: executes the requests of other nodes, and forwards to them what concerns their
/// streams.
///
/// - An event sent on this node goes to the nodes that hold a receiver (delivery::RemoteNodes).
/// - An operation of the admin API goes to every node, and the replies are merged (ClusterAdmin). With the header
/// `X-Sse-Local`
///   only this node handles it.
/// - A page's request about a connection goes to the node in the connection's id, whichever node the load balancer
///   chose (ClusterPages).
///
/// A client that can publish in the cluster's Redis is trusted like the holder of the admin token.
class ClusterGateway final : public cluster::LocalNode, public delivery::RemoteNodes, public presence::RemotePresence {
 public:
  /// Limits and checks for page requests that other nodes forward, like those the front applies to direct requests.
  struct ForwardedPages {
    pages::RelayedBodies& bodies;
    net::ByteBudget& memory;  ///< of bodies that must be in memory as a whole
    std::function<net::RequestPlan(const net::RequestHead&)> plan;
    pages::ClusterPages::Refuse refuse;
  };

  /// References must outlive stop().
  ClusterGateway(cluster::Cluster& cluster, const std::vector<application::Service>& services, net::HttplibApp& pages,
                 net::HttplibApp& admin, const admin::AdminToken& token, std::function<event::Json()> facts,
                 ForwardedPages forwarded);

  cluster::Cluster& cluster() { return cluster_; }
  /// Handles the operations about tickets; nullopt for other operations. Set it before the cluster starts.
  using TicketHandler = std::function<std::optional<cluster::AdminReply>(const cluster::AdminCommand&)>;
  void set_ticket_operations(TicketHandler tickets) { tickets_ = std::move(tickets); }
  /// The tracker of the members of channels; outlives stop() of the cluster. Set it before the cluster starts.
  void set_presence(presence::Tracker& tracker) { presence_.store(&tracker); }
  /// The streams of canaries; outlives stop() of the cluster. Set it before the cluster starts.
  void set_canary(CanaryStreams& canary) { canary_.store(&canary); }
  /// Starts and stops the gateway's thread. Call stop() before the cluster's stop().
  void start() { limiter_.start(); }
  void stop() { limiter_.stop(); }

  // cluster::LocalNode
  void deliver(std::vector<cluster::DeliverCommand> commands,
               std::function<void(std::vector<std::uint32_t>)> done) override;
  std::string handle(const cluster::RequestCommand& command) override;
  void handle_async(const cluster::RequestCommand& command, std::function<void(std::string)> done) override;
  cluster::AdminReply handle_admin(const cluster::AdminCommand& command) override;
  std::string store_body_chunk(const cluster::BodyCommand& command) override;
  std::vector<std::vector<ConnectionId>> connections_of(const std::vector<cluster::ClientCommand>& clients) override;
  void replace(const cluster::ReplaceCommand& command) override;
  std::vector<cluster::Place> find_delivery_states(const std::vector<cluster::DeliveryStateCommand>& messages) override;
  void take_presence(const std::string& node, const cluster::PresenceCommand& command) override;
  void on_messages_missed() override;
  event::Json facts() override { return facts_(); }

  // delivery::RemoteNodes
  std::unique_ptr<Sent> send(const ServiceName& service, const std::vector<hub::Hub::Delivery>& deliveries) override;
  bool may_have_local_streams(const ServiceName& service, const event::Target& target) override;
  void subscribe(const ServiceName& service, const hub::Names& names, std::function<void()> proceed) override;
  void unsubscribe(const ServiceName& service, const hub::Names& names) override;
  std::vector<std::string> find_delivery_states(const ServiceName& service,
                                                std::vector<hub::DeliveryState>& messages) override;
  void client_opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) override {
    limiter_.opened(service, client, connection);
  }

  // presence::RemotePresence
  std::vector<std::string> other_nodes() override;
  void send_presence(const std::string& node, std::string message, std::function<void(bool arrived)> done) override;

 private:
  class InTransit;

  std::string handle_page(const cluster::RequestCommand& command);
  /// The node that received the request has checked its own token; this node's token may differ.
  void authorize(cluster::RawRequest& request) const;

  cluster::Cluster& cluster_;
  const std::vector<application::Service>& services_;
  net::HttplibApp& pages_;
  net::HttplibApp& admin_;
  const admin::AdminToken& token_;
  const std::function<event::Json()> facts_;
  const ForwardedPages forwarded_;
  TicketHandler tickets_;
  std::atomic<presence::Tracker*> presence_{nullptr};  // other nodes may send before it is set
  std::atomic<CanaryStreams*> canary_{nullptr};        // likewise
  pages::ClientLimiter limiter_;
  std::shared_ptr<InTransit> in_transit_;
};

}  // namespace sse::server
