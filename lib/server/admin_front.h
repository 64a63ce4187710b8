#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_routes.h"
#include "admin/event_feed.h"
#include "application/activity_log.h"
#include "application/service.h"
#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/http_front.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "server/server.h"

namespace sse::server {

/// The admin listener with all that serves the admin API: its loop, its workers, the routes and the feed of activity
/// events. Without --admin it has no listener, and serves only what other nodes of a cluster forward.
class AdminFront {
 public:
  /// What the front needs besides the dependencies of the routes; all of it must outlive this.
  struct Parts {
    const std::vector<application::Service>& services;
    application::ActivityLog& activity_log;
    const admin::AdminToken& token;
    const net::TlsContext* tls;  ///< used if --admin is an https:// address
    std::size_t max_spooled;     ///< request bodies on disk at a time
    observe::Registry& metrics;
  };

  /// Opens the listener of --admin, if there is one. References must outlive this; `disk` is the budget of bodies on
  /// disk. Throws Error.
  AdminFront(const ServerOptions& options, net::ByteBudget& disk);
  /// Registers the routes and creates the HTTP front. Does nothing without a listener.
  void open(const Parts& parts, const admin::AdminRoutes::Dependencies& routes);

  /// Empty without a listener.
  std::string address() const;
  net::HttplibApp& app() { return app_; }
  /// Runs also without a listener.
  net::EventLoop& loop() { return loop_; }

  /// Starts the loop, and accepts connections from now on.
  void start();
  /// Accepts no more connections, and ends the feed.
  void drain();
  void stop_workers();
  void stop_loop() { loop_.stop(); }

 private:
  net::FrontOptions front_options(const Parts& parts);

  const ServerOptions& options_;
  net::ByteBudget& disk_;
  const std::unique_ptr<net::Listener> listener_;
  net::HttplibApp app_;
  std::unique_ptr<admin::AdminRoutes> routes_;
  net::EventLoop loop_;
  std::unique_ptr<admin::EventFeed> feed_;
  net::WorkerPool workers_;
  net::WorkerPool spoolers_;
  net::ByteBudget memory_;  ///< separate, so that pages cannot exhaust the operator's budget
  std::unique_ptr<net::HttpFront> front_;
};

}  // namespace sse::server
