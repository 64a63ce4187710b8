#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "application/activity_log.h"
#include "application/application.h"
#include "application/service.h"
#include "auth/authenticator.h"
#include "auth/channel_access.h"
#include "auth/tickets.h"
#include "auth/trusted_proxies.h"
#include "net/http_front.h"
#include "net/router.h"
#include "observe/metrics.h"
#include "pages/application_routes.h"
#include "pages/canary_entry.h"
#include "pages/channel_gate.h"
#include "pages/connect_refusals.h"
#include "pages/connect_route.h"
#include "pages/connection_routes.h"
#include "pages/origin_policy.h"
#include "pages/page_admission.h"
#include "pages/page_content.h"
#include "pages/page_refusals.h"
#include "pages/publish_routes.h"
#include "pages/request_planner.h"
#include "pages/service_paths.h"
#include "pages/subscription_routes.h"
#include "store/message_repository.h"

namespace sse::pages {

/// Options of PageRoutes.
struct PageOptions {
  std::string server_id;
  bool serve_page = true;                              ///< the demo page at `/`
  std::string web_root;                                ///< a folder whose files are served at `/`; empty: none
  bool health = false;                                 ///< `/healthz` and `/readyz`
  std::optional<std::chrono::milliseconds> keepalive;  ///< set: overrides the client's keepaliveTime
  std::vector<std::string> cors_origins;               ///< `*` or origins; empty: same origin only
  std::vector<std::string> allowed_hosts;              ///< allowed in Host, with check_hosts
  bool check_hosts = false;                            ///< refuse unknown hosts: see OriginPolicy
  bool nameless_requests = false;                      ///< see ApplicationRoutes
  store::MessageCatalog* queries = nullptr;            ///< set: pages may query online users and pending messages
  std::string upload_folder = "/tmp";                  ///< stores uploads until the application responds
  auth::Tickets* tickets = nullptr;                    ///< must outlive the routes; null: no tickets
  CanaryEntry* canary = nullptr;                       ///< likewise; null: no streams of canaries
  PublishOptions publishing{};                         ///< of events by pages
};

/// All requests of browsers (PROTOCOL.md): registers the routes and owns the classes that handle them.
class PageRoutes {
 public:
  /// Registers all routes on `app`. References must outlive it. `application` may be null: then messages and uploads
  /// get 404.
  PageRoutes(net::HttplibApp& app, const std::vector<application::Service>& services,
             auth::Authenticator& authenticator, const auth::ChannelAccess& channels,
             application::Application* application, const auth::TrustedProxies& proxies,
             application::ActivityLog& activity_log, observe::Registry& metrics, const PageOptions& options,
             const std::atomic<bool>& draining);
  PageRoutes(const PageRoutes&) = delete;
  PageRoutes& operator=(const PageRoutes&) = delete;

  /// Responses to requests that are refused before they reach a route.
  const PageRefusals& refusals() const { return refusals_; }
  /// Decides how the body of a request is read.
  const RequestPlanner& planner() const { return planner_; }

  /// Serves static content for FrontOptions::content: the client module, the demo page, files.
  std::optional<net::Reply> content(const net::RequestHead& head, bool keep_alive) const;

 private:
  void add_service(const application::Service& service);
  // Records the refusal of a request for a stream that does not reach its route.
  void note_refused(std::string_view target, std::string address, int status, std::string_view reason,
                    std::string sentence) const;
  void query(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;

  const std::string server_id_;
  const std::vector<application::Service>& services_;
  store::MessageCatalog* const queries_;
  application::Application* const program_;
  const Clock& clock_;
  const OriginPolicy origins_;
  const ServicePaths paths_;
  const PageAdmission admission_;
  const PageRefusals refusals_;
  // Counts and logs, also for routes that are otherwise immutable.
  mutable ConnectRefusals connect_refusals_;
  mutable ChannelGate channels_;
  const ConnectRoute connect_;
  const ConnectionRoutes connections_;
  const SubscriptionRoutes subscriptions_;
  mutable PublishRoutes publications_;
  const ApplicationRoutes application_;
  PageContent content_;
  net::Router router_;
  const RequestPlanner planner_;
};

}  // namespace sse::pages
