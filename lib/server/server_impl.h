#pragma once

// The implementation of Server, included only by server.cc: creates the parts, connects them, and starts and stops them
// in order.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin_routes.h"
#include "auth/channel_access.h"
#include "auth/publish_access.h"
#include "auth/tickets.h"
#include "auth/trusted_proxies.h"
#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/tls_context.h"
#include "observe/barrier.h"
#include "presence/tracker.h"
#include "server/admin_front.h"
#include "server/application_bridge.h"
#include "server/canary.h"
#include "server/canary_streams.h"
#include "server/cluster_node.h"
#include "server/delivery_reports.h"
#include "server/drainer.h"
#include "server/listeners.h"
#include "server/maintenance.h"
#include "server/node_facts.h"
#include "server/progress_check.h"
#include "server/public_front.h"
#include "server/server.h"
#include "server/status_report.h"
#include "server/stores.h"
#include "store/ticket_store.h"

namespace sse::server {

class Server::Impl {
 public:
  Impl(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
       std::unique_ptr<application::Application> application, application::Callbacks callbacks);
  ~Impl() { stop(); }

  void start();
  void stop();
  void reload();
  void set_channel_rules(const std::vector<std::string>& rules);
  void set_publish_rules(const std::vector<std::string>& rules);
  std::vector<std::string> stuck_threads() { return progress_.check(); }

  std::string url() const { return public_url(options_, public_.address()); }
  std::vector<std::string> urls() const { return public_.urls(); }
  std::string admin_address() const { return admin_.address(); }
  const std::string& server_id() const { return server_id_; }
  delivery::Sender& sender(const std::string& name);
  auth::Tickets& tickets() { return *tickets_; }
  observe::Registry& metrics() { return metrics_; }
  std::size_t open_streams() const { return public_.open_streams(); }

 private:
  void open_tls();
  void read_token();
  void open_ids();
  void open_services();
  void open_presence();
  void open_canary();
  void open_tickets();
  void open_fronts();
  admin::AdminRoutes::Dependencies admin_dependencies();
  void drain_streams(unsigned rate);
  void end_drain();
  void watch_progress();
  void check_channel_rules(const std::vector<std::string>& rules) const;
  void check_publish_rules(const std::vector<std::string>& rules) const;
  void log_closed_channels() const;

  const ServerOptions options_;
  const Clock& clock_ = *options_.clock;
  observe::Registry metrics_;
  observe::ExceptionCounter exceptions_{metrics_.counter(
      "sse_exceptions_total", "Exceptions caught at the top of a thread instead of ending the process")};
  std::optional<IdGenerator> ids_;
  const bool demo_authentication_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  auth::ChannelAccess channels_;
  std::vector<std::string> channel_rules_ = options_.channel_rules;
  auth::PublishAccess publishing_;
  auth::TrustedProxies proxies_;
  admin::AdminToken token_;
  std::string server_id_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  bool running_ = false;
  std::unique_ptr<ApplicationBridge> application_bridge_;
  net::ByteBudget body_disk_;
  const NodeFacts facts_{services_, metrics_, draining_, clock_.wall_now(), [this] { return url(); }};
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<DeliveryReports> reports_;  // null: the store makes none
  std::unique_ptr<store::TicketStore> ticket_store_;
  std::unique_ptr<auth::Tickets> tickets_;
  // Null without a cluster. It outlives the loops, whose tasks may hold events in transit to other nodes.
  std::unique_ptr<ClusterNode> cluster_;
  std::unique_ptr<presence::Tracker> presence_;  // outlives the loops, whose streams report to it
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<application::Service> services_;
  // Null without a canary and a cluster, whose other nodes may have one.
  std::unique_ptr<CanaryStreams> canary_streams_;
  std::unique_ptr<net::TlsContext> tls_;
  PublicFront public_{options_, body_disk_};
  AdminFront admin_{options_, body_disk_};
  Drainer drainer_{services_, 2 * options_.reconnect_time};
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Canary> canary_;  // null: none
  std::unique_ptr<StatusReport> status_;
  ProgressCheck progress_;
};

}  // namespace sse::server
