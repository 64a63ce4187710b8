#pragma once

// The inside of Server; for its sources alone.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cluster/http_cluster.h"
#include "cluster/mesh_repository.h"
#include "gateway/admin_address.h"
#include "gateway/admin_routes.h"
#include "gateway/cluster_gateway.h"
#include "gateway/drainer.h"
#include "gateway/event_feed.h"
#include "gateway/page_routes.h"
#include "gateway/reactions.h"
#include "gateway/relayed_bodies.h"
#include "gateway/server.h"
#include "gateway/storm_watch.h"
#include "gateway/trusted_proxies.h"
#include "gateway/upload_reader.h"
#include "net/http_front.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "observe/barrier.h"

namespace sse::gateway {

class Server::Impl {
 public:
  Impl(ServerOptions options, std::unique_ptr<Authenticator> authenticator, std::unique_ptr<Application> application,
       Callbacks callbacks);
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
    return options_.upload_folder.empty() ? default_upload_folder() : options_.upload_folder;
  }
  net::RequestPlan page_plan(const net::RequestHead& head) const;
  void push_demo();
  void expire();
  event::Json facts() const;
  void drain_streams(unsigned rate);
  event::Json cluster_status() const;
  std::uint64_t happenings();
  event::Json status() const;
  std::size_t streams_held() const;

  /// Of a request to the admin listener.
  static constexpr ByteCount kMaxAdminBody = mebibytes(64);

  const ServerOptions options_;
  const Clock& clock_ = *options_.clock;
  const WallTime started_ = clock_.wall_now();
  observe::Registry metrics_;
  observe::ExceptionCounter exceptions_{metrics_.counter(
      "sse_exceptions_total", "Failures that ended at the barrier of a thread instead of ending the process")};
  std::optional<IdGenerator> ids_;
  const bool demo_authentication_;
  std::unique_ptr<Authenticator> authenticator_;
  TrustedProxies proxies_;
  AdminToken token_;
  std::string server_id_;
  std::atomic<bool> draining_{false};
  bool running_ = false;
  std::unique_ptr<Reactions> reactions_;

  std::unique_ptr<delivery::MessageRepository> own_repository_;  // under a mesh's
  std::unique_ptr<delivery::MessageRepository> repository_;
  cluster::MeshRepository* mesh_repository_ =
      nullptr;                                   // the same object; null where nodes share a store, or for one alone
  delivery::MessageCatalog* catalog_ = nullptr;  // the same object, as are:
  delivery::DeadLetters* dead_ = nullptr;
  delivery::AttemptLog* attempts_ = nullptr;
  // Null for a server that is alone. The gateway outlives what calls it, and the cluster the loops, whose tasks may
  // hold what is on its way to other nodes.
  std::unique_ptr<ClusterGateway> cluster_gateway_;
  std::unique_ptr<cluster::Cluster> cluster_;
  cluster::HttpBus* mesh_ = nullptr;  // the cluster's bus, where nodes talk to each other directly
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<Service> services_;
  std::unique_ptr<net::TlsContext> tls_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<net::Listener> admin_listener_;
  net::HttplibApp app_;
  net::HttplibApp admin_app_;
  std::unique_ptr<PageRoutes> page_routes_;
  std::unique_ptr<AdminRoutes> admin_routes_;
  Drainer drainer_{services_, 2 * options_.reconnect_time};
  net::EventLoop front_loop_{"sse-front", clock_};
  net::EventLoop admin_loop_{"sse-admin", clock_};
  std::unique_ptr<EventFeed> feed_;
  net::WorkerPool workers_;
  net::WorkerPool admin_workers_;
  net::WorkerPool admin_spoolers_;
  net::WorkerPool chores_;  // demo pushes, expiry: may block on the store
  net::ByteBudget body_memory_;
  net::ByteBudget admin_body_memory_;  // of its own, so that pages cannot take the operator's
  net::ByteBudget body_disk_;
  std::unique_ptr<RelayedBodies> relayed_bodies_;  // null for a server that is alone
  std::unique_ptr<net::HttpFront> front_;
  std::unique_ptr<net::HttpFront> admin_front_;
  StormWatch storm_{1000};  // admin loop only
};

}  // namespace sse::gateway
