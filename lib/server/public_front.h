#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "application/service.h"
#include "auth/authenticator.h"
#include "auth/channel_access.h"
#include "auth/publish_access.h"
#include "auth/tickets.h"
#include "auth/trusted_proxies.h"
#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/http_front.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "pages/page_routes.h"
#include "server/application_bridge.h"
#include "server/front_limits.h"
#include "server/server.h"
#include "store/message_repository.h"

namespace sse::server {

class CanaryStreams;

/// The folder that stores uploads until the application responds.
std::string upload_folder(const ServerOptions& options);

/// The public listeners with all that serves the requests of pages: its loop, its workers and the routes.
class PublicFront {
 public:
  /// What the routes need; all of it must outlive this.
  struct Parts {
    const std::vector<application::Service>& services;
    auth::Authenticator& authenticator;
    const auth::ChannelAccess& channels;
    const auth::PublishAccess& publishing;
    bool demo_authentication;
    const auth::TrustedProxies& proxies;
    ApplicationBridge& application;
    store::MessageCatalog& catalog;
    const net::TlsContext* tls;  ///< null: plain HTTP
    const std::atomic<bool>& draining;
    const std::string& server_id;
    auth::Tickets& tickets;
    CanaryStreams* canary;  ///< null: the server takes no streams of canaries
    observe::Registry& metrics;
  };

  /// Opens the listeners of --listen. References must outlive this; `disk` is the budget of bodies on disk. Throws
  /// Error.
  PublicFront(const ServerOptions& options, net::ByteBudget& disk);
  /// Registers the routes and creates the HTTP front, which start() opens.
  void open(const Parts& parts, const FrontLimits& limits);

  /// Of the first listener that has a port, otherwise of the first one.
  net::ListenAddress address() const;
  /// Of all listeners, as operators write them.
  std::vector<std::string> urls() const;
  net::HttplibApp& app() { return app_; }
  /// Of request bodies in memory.
  net::ByteBudget& memory() { return memory_; }
  /// Decides how a request is received. Thread safe. REQUIRES: open().
  net::RequestPlan plan(const net::RequestHead& head) const;
  /// The complete response that refuses a request. Thread safe. REQUIRES: open().
  std::string refuse(std::string_view request, int status, const std::string& sentence) const {
    return routes_->refusals().response(request, status, sentence);
  }

  net::EventLoop& loop() { return loop_; }
  void start_loop() { loop_.start(); }
  bool in_loop_thread() const { return loop_.in_loop_thread(); }
  /// Accepts connections from now on.
  void start() { front_->start(); }
  /// As HttpFront.
  void drain() { front_->drain(); }
  std::size_t open_connections() const { return front_->open(); }
  /// Sockets of streams, which the front has handed over.
  std::size_t open_streams() const;
  void stop_workers() { workers_.stop(); }
  void stop_loop() { loop_.stop(); }

 private:
  pages::PageOptions page_options(const Parts& parts) const;
  net::FrontOptions front_options(const Parts& parts, const FrontLimits& limits);

  const ServerOptions& options_;
  net::ByteBudget& disk_;
  const std::vector<std::unique_ptr<net::Listener>> listeners_;
  net::HttplibApp app_;
  // Set by open().
  const std::vector<application::Service>* services_ = nullptr;
  ApplicationBridge* application_ = nullptr;
  CanaryStreams* canary_ = nullptr;
  std::unique_ptr<pages::PageRoutes> routes_;
  net::EventLoop loop_;
  net::WorkerPool workers_;
  net::ByteBudget memory_;
  std::unique_ptr<net::HttpFront> front_;
};

}  // namespace sse::server
