#pragma once

// The implementation of Server, included only by its sources: wires the modules together and owns them.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin_routes.h"
#include "admin/event_feed.h"
#include "application/upload_reader.h"
#include "auth/trusted_proxies.h"
#include "base/units.h"
#include "cluster/http_cluster.h"
#include "cluster/mesh/mesh_repository.h"
#include "net/http_front.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "observe/barrier.h"
#include "pages/page_routes.h"
#include "pages/relayed_bodies.h"
#include "server/admin_address.h"
#include "server/application_bridge.h"
#include "server/cluster_gateway.h"
#include "server/drainer.h"
#include "server/memory_trimmer.h"
#include "server/server.h"

namespace sse::server {

class Server::Impl {
 public:
  Impl(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
       std::unique_ptr<application::Application> application, application::Callbacks callbacks);
  ~Impl() { stop(); }

  void start();
  void stop();
  void reload();

  std::string url() const { return (tls_ ? "https://" : "http://") + listener_->address().str(); }
  std::string admin_address() const {
    if (!admin_listener_) return {};
    return (options_.admin.starts_with(kAdminTls) ? std::string(kAdminTls) : "") + admin_listener_->address().str();
  }
  const std::string& server_id() const { return server_id_; }
  delivery::Sender& sender(const std::string& name);
  observe::Registry& metrics() { return metrics_; }

 private:
  void open_tls();
  void read_token();
  bool in_cluster() const { return !options_.cluster.empty() || !options_.discovery.empty(); }
  void open_cluster();
  void open_repository();
  void share_repository();
  void open_fronts();
  std::string upload_folder() const {
    return options_.upload_folder.empty() ? application::default_upload_folder() : options_.upload_folder;
  }
  net::RequestPlan page_plan(const net::RequestHead& head) const;
  void push_demo();
  void expire();
  event::Json facts() const;
  void drain_streams(unsigned rate);
  event::Json cluster_status() const;
  std::uint64_t activity_log();
  event::Json status() const;
  std::size_t open_sockets() const;

  /// Maximum body of a request to the admin listener.
  static constexpr ByteCount kMaxAdminBody = mebibytes(64);

  const ServerOptions options_;
  const Clock& clock_ = *options_.clock;
  const WallTime started_ = clock_.wall_now();
  observe::Registry metrics_;
  observe::ExceptionCounter exceptions_{metrics_.counter(
      "sse_exceptions_total", "Exceptions caught at the top of a thread instead of ending the process")};
  std::optional<IdGenerator> ids_;
  const bool demo_authentication_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  auth::TrustedProxies proxies_;
  admin::AdminToken token_;
  std::string server_id_;
  std::atomic<bool> draining_{false};
  bool running_ = false;
  std::unique_ptr<ApplicationBridge> application_bridge_;

  std::unique_ptr<store::MessageRepository> own_repository_;  // wrapped by mesh_repository_
  std::unique_ptr<store::MessageRepository> repository_;
  cluster::MeshRepository* mesh_repository_ =
      nullptr;                                // the same object; null if nodes share a store, or without a cluster
  store::MessageCatalog* catalog_ = nullptr;  // the same object, like the next two
  store::DeadLetters* dead_ = nullptr;
  store::AttemptLog* attempts_ = nullptr;
  // Null without a cluster. The gateway outlives its callers, and the cluster outlives the loops, whose tasks may hold
  // events in transit to other nodes.
  std::unique_ptr<ClusterGateway> cluster_gateway_;
  std::unique_ptr<cluster::Cluster> cluster_;
  cluster::HttpBus* mesh_ = nullptr;  // the cluster's bus, where nodes talk to each other directly
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<application::Service> services_;
  std::unique_ptr<net::TlsContext> tls_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<net::Listener> admin_listener_;
  net::HttplibApp app_;
  net::HttplibApp admin_app_;
  std::unique_ptr<pages::PageRoutes> page_routes_;
  std::unique_ptr<admin::AdminRoutes> admin_routes_;
  Drainer drainer_{services_, 2 * options_.reconnect_time};
  net::EventLoop front_loop_{"sse-front", clock_};
  net::EventLoop admin_loop_{"sse-admin", clock_};
  std::unique_ptr<admin::EventFeed> feed_;
  net::WorkerPool workers_;
  net::WorkerPool admin_workers_;
  net::WorkerPool admin_spoolers_;
  net::WorkerPool maintenance_;  // demo pushes, expiry: may block on the store
  net::ByteBudget body_memory_;
  net::ByteBudget admin_body_memory_;  // separate, so that pages cannot exhaust the operator's budget
  net::ByteBudget body_disk_;
  std::unique_ptr<pages::RelayedBodies> relayed_bodies_;  // null without a cluster
  std::unique_ptr<net::HttpFront> front_;
  std::unique_ptr<net::HttpFront> admin_front_;
  MemoryTrimmer memory_trimmer_{1000};  // admin loop only
};

}  // namespace sse::server
