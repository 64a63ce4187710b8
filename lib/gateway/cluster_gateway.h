#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "delivery/elsewhere.h"
#include "event/json.h"
#include "gateway/admin_routes.h"
#include "gateway/client_limiter.h"
#include "gateway/cluster_pages.h"
#include "gateway/page_routes.h"
#include "gateway/relayed_bodies.h"
#include "net/httplib_app.h"

namespace sse::gateway {

/// What makes a server a node: it does for other nodes what they ask, and has them do what concerns their streams.
///
/// - An event that is sent here goes to the nodes that hold a receiver (delivery::Elsewhere).
/// - A question or order of the admin API goes to every node, and the answers become one: ClusterAdmin. With the header
///   `X-Sse-Local` it stays here.
/// - What a page says about a connection (its id tells the node) goes to that node, whichever a load balancer chose:
///   ClusterPages.
///
/// Whoever can publish in the cluster's Redis is trusted like somebody who holds the admin token.
class ClusterGateway final : public cluster::LocalNode, public delivery::Elsewhere {
 public:
  /// What decides about a page's request that another node forwards, as the front does about those that come here.
  struct ForwardedPages {
    RelayedBodies& bodies;
    net::ByteBudget& memory;  ///< of bodies that have to be in memory as a whole
    std::function<net::RequestPlan(const net::RequestHead&)> plan;
    ClusterPages::Refuse refuse;
  };

  /// References must outlive stop().
  ClusterGateway(cluster::Cluster& cluster, const std::vector<Service>& services, net::HttplibApp& pages,
                 net::HttplibApp& admin, const AdminToken& token, std::function<event::Json()> facts,
                 ForwardedPages forwarded);

  cluster::Cluster& cluster() { return cluster_; }
  /// What it does on a thread of its own. stop() before the cluster's.
  void start() { limiter_.start(); }
  void stop() { limiter_.stop(); }

  // cluster::LocalNode
  void deliver(std::vector<cluster::DeliverCommand> commands,
               std::function<void(std::vector<std::uint32_t>)> done) override;
  std::string handle(const cluster::RequestCommand& command) override;
  void handle_soon(const cluster::RequestCommand& command, std::function<void(std::string)> done) override;
  std::string keep_body(const cluster::BodyCommand& command) override;
  std::vector<std::vector<ConnectionId>> connections_of(const std::vector<cluster::ClientCommand>& clients) override;
  void replace(const cluster::ReplaceCommand& command) override;
  std::vector<cluster::Place> locate(const std::vector<cluster::LocateCommand>& messages) override;
  void missed_something() override;
  event::Json facts() override { return facts_(); }

  // delivery::Elsewhere
  std::unique_ptr<Sent> send(const ServiceName& service, const std::vector<hub::Hub::Delivery>& deliveries) override;
  bool may_be_here(const ServiceName& service, const event::Target& target) override;
  void expect(const ServiceName& service, const hub::Names& names, std::function<void()> go_on) override;
  void gone(const ServiceName& service, const hub::Names& names) override;
  std::vector<std::string> locate(const ServiceName& service, std::vector<hub::Whereabouts>& messages) override;
  void client_opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) override {
    limiter_.opened(service, client, connection);
  }

 private:
  class Underway;

  std::string handle_page(const cluster::RequestCommand& command);

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
  net::HttplibApp& pages_;
  net::HttplibApp& admin_;
  const AdminToken& token_;
  const std::function<event::Json()> facts_;
  const ForwardedPages forwarded_;
  ClientLimiter limiter_;
  std::shared_ptr<Underway> underway_;
};

}  // namespace sse::gateway
