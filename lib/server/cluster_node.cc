#include "server/cluster_node.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "admin/cluster_admin.h"
#include "cluster/mesh/mesh_tls.h"
#include "cluster/redis/redis_cluster.h"
#include "cluster/redis/redis_tickets.h"
#include "pages/cluster_pages.h"
#include "server/cluster_options.h"
#include "server/node_tickets.h"

namespace sse::server {
namespace {

pages::RelayedBodies::Options bodies_of(const ServerOptions& options, net::ByteBudget& disk) {
  pages::RelayedBodies::Options bodies;
  bodies.folder = upload_folder(options);
  bodies.max_body = std::max(options.max_body, options.max_upload);
  bodies.max_body_option = options.max_body < options.max_upload ? "--max-upload" : "--max-body";
  bodies.disk = &disk;
  bodies.clock = options.clock;
  return bodies;
}

}  // namespace

ClusterNode::ClusterNode(const ServerOptions& options, const std::string& server_id, const Parts& parts,
                         std::function<event::Json()> facts)
    : clock_(*options.clock), services_(parts.services), bodies_(bodies_of(options, parts.disk)) {
  if (!options.cluster.empty()) {
    cluster_ = cluster::open_redis_cluster(redis_options(options, server_id), parts.metrics).cluster;
  } else {
    cluster::HttpCluster opened = cluster::open_http_cluster(mesh_options(options, server_id), parts.metrics);
    bus_ = opened.bus;
    cluster_ = std::move(opened.cluster);
  }
  if (bus_ != nullptr && bus_->tls()) {
    parts.metrics.gauge_callback(
        "sse_cluster_certificate_expiry_timestamp_seconds",
        "When the certificate that this node shows to the others expires",
        [tls = bus_->tls()] { return static_cast<double>(to_millis(tls->server_side().expires()) / 1000); });
  }
  PublicFront& pages = parts.pages;
  const auto plan = [&pages](const net::RequestHead& head) { return pages.plan(head); };
  const auto refuse = [&pages](std::string_view request, int status, const std::string& sentence) {
    return pages.refuse(request, status, sentence);
  };
  gateway_ =
      std::make_unique<ClusterGateway>(*cluster_, services_, pages.app(), parts.admin, parts.token, std::move(facts),
                                       ClusterGateway::ForwardedPages{bodies_, pages.memory(), plan, refuse});
  pages.app().set_interceptor(pages::ClusterPages(*cluster_, services_, pages.app(), options.hook_timeout, refuse));
  parts.admin.set_interceptor(admin::ClusterAdmin(*cluster_, parts.admin, parts.token, bus_ != nullptr, [this] {
    if (mesh_repository_ != nullptr) mesh_repository_->settle_attempts();
  }));
}

void ClusterNode::share(Stores& stores) {
  if (bus_ == nullptr) return;
  cluster::MeshRepository::Options mesh;
  mesh.timeout = cluster_->options().timeout;
  mesh.clock = &clock_;
  mesh.refresh_pending = [this] { gateway_->on_messages_missed(); };
  mesh.flush_attempts = [this] {
    for (const application::Service& service : services_) service.sender->flush_attempts();
  };
  mesh_repository_ = &stores.share(*bus_, cluster_->interest(), mesh);
  cluster_->set_store([this](const std::string& bytes) { return mesh_repository_->handle(bytes); });
  cluster_->on_reconnected([this] { mesh_repository_->refresh_other_nodes(); });
}

std::unique_ptr<store::TicketStore> ClusterNode::open_tickets(const ServerOptions& options,
                                                              const std::string& server_id,
                                                              store::TicketLimits limits) const {
  if (bus_ != nullptr) return std::make_unique<MeshTickets>(*cluster_, limits, clock_);
  const cluster::RedisClusterOptions redis = redis_options(options, server_id);
  auto tickets = std::make_unique<cluster::RedisTickets>(
      cluster::RedisTickets::Options{cluster::link_options(redis), redis.prefix, limits});
  tickets->require_up(redis.connect_timeout);
  return tickets;
}

void ClusterNode::share_tickets(store::TicketStore& store, auth::Tickets& tickets) {
  gateway_->set_ticket_operations(TicketOperations(store, tickets, cluster_->number()));
  tickets.set_check_elsewhere([this](ConnectionId connection, const std::string& request_key) {
    return made_elsewhere(*cluster_, connection, request_key);
  });
}

void ClusterNode::start() {
  cluster_->start();
  gateway_->start();
  if (mesh_repository_ != nullptr) mesh_repository_->start();
}

void ClusterNode::reload() {
  if (bus_ != nullptr && bus_->tls()) bus_->tls()->reload();
}

void ClusterNode::stop() {
  gateway_->stop();
  cluster_->stop();
}

}  // namespace sse::server
