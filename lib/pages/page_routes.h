#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "application/activity_log.h"
#include "application/application.h"
#include "application/service.h"
#include "auth/authenticator.h"
#include "auth/trusted_proxies.h"
#include "delivery/sender.h"
#include "net/http_front.h"
#include "net/router.h"
#include "pages/origin_policy.h"
#include "pages/page_content.h"

namespace sse::pages {

/// Maximum body of disconnect.do, which is read before authentication.
inline constexpr ByteCount kMaxDisconnectBody = kibibytes(4);
/// Maximum of a url-encoded body; cpp-httplib refuses larger ones.
inline constexpr ByteCount kMaxForm = kibibytes(8);

/// Options of PageRoutes.
struct PageOptions {
  std::string server_id;
  bool serve_page = true;                              ///< the demo page at `/`
  std::string web_root;                                ///< a folder whose files are served at `/`; empty: none
  std::optional<std::chrono::milliseconds> keepalive;  ///< set: overrides the client's keepaliveTime
  std::vector<std::string> cors_origins;               ///< `*` or origins; empty: same origin only
  std::vector<std::string> allowed_hosts;              ///< allowed in Host, with check_hosts
  bool check_hosts = false;                            ///< refuse unknown hosts: see OriginPolicy
  store::MessageCatalog* queries = nullptr;            ///< set: pages may query online users and pending messages
  std::string upload_folder = "/tmp";                  ///< stores uploads until the application responds
};

/// Handles all requests of browsers (PROTOCOL.md): the client module, streams, requests of pages, the demo page.
class PageRoutes {
 public:
  /// Registers all routes on `app`. References must outlive it. `application` may be null: then messages and uploads
  /// get 404.
  PageRoutes(net::HttplibApp& app, const std::vector<application::Service>& services,
             auth::Authenticator& authenticator, application::Application* application,
             const auth::TrustedProxies& proxies, application::ActivityLog& activity_log, PageOptions options,
             const std::atomic<bool>& draining);

  /// For FrontOptions::refusal, used before a request reaches a route: pages get the refusal in the JSON form of all
  /// responses, with the CORS headers to read it. Thread safe.
  net::RefusalText refusal(const net::RequestHead& head, int status, const std::string& sentence) const;
  /// As refusal(): the complete response to a request in the form that normalized_request() writes.
  std::string refusal_response(std::string_view request, int status, const std::string& sentence) const;
  /// Plans a request with a body from its head: refuses unknown paths, limits the size of the body, and sets the
  /// authentication that has to succeed before the body is read. Thread safe; does not block.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;

  /// Serves static content for FrontOptions::content: the client module, the demo page, files.
  std::optional<net::Reply> content(const net::RequestHead& head, bool keep_alive) const;

 private:
  void add_service(const application::Service& service);
  void connect(const application::Service& service, const httplib::Request& req, httplib::Response& res);
  void change_listeners(const application::Service& service, const httplib::Request& req, httplib::Response& res,
                        bool add);
  void message(const application::Service& service, const httplib::Request& req, httplib::Response& res);
  void upload(const application::Service& service, const httplib::Request& req, httplib::Response& res);
  /// Calls the application's on_connect(); throws if the application refuses the stream.
  void call_on_connect(const application::Service& service, hub::NewConnection& new_connection);
  /// Writes the response that `ask` returns or throws, and publishes its status as an activity event.
  void answer_page(application::ActivityEvent::Type type, const application::ApplicationRequest& request,
                   httplib::Response& res, const std::function<application::Answer()>& ask);
  void acknowledge(const application::Service& service, const httplib::Request& req, httplib::Response& res);
  void disconnect(const application::Service& service, const httplib::Request& req, httplib::Response& res);
  std::optional<auth::User> authenticate(const httplib::Request& req) const;
  /// Checks the origin and authenticates the sender of a request from its head alone.
  net::AdmitResult admit(const net::RequestHead& head, const net::Peer& peer, OriginPolicy::Access access) const;
  /// The part of a target after the service's path; nullopt for targets outside the services.
  std::optional<std::string_view> path_in_service(std::string_view target) const;
  /// The authenticated user. Throws Error(kUnauthenticated).
  auth::User require_user(const httplib::Request& req) const;
  /// The page's own connection; counts the request. Throws Error(kNotFound).
  hub::ConnectionInfo require_connection(const application::Service& service, const httplib::Request& req,
                                         hub::Hub::Request kind) const;
  std::string client_address(const httplib::Request& req) const;
  /// Throws Error(kPermissionDenied) for a request of a page of a foreign origin.
  void require_admitted(const auth::PageRequest& request, OriginPolicy::Access access) const;
  /// Header lines of every response.
  std::string common_headers(const net::RequestHead& head) const;

  auth::Authenticator& authenticator_;
  application::Application* application_;
  const auth::TrustedProxies& proxies_;
  application::ActivityLog& activity_log_;
  const PageOptions options_;
  const OriginPolicy origins_;
  const std::atomic<bool>& draining_;
  std::vector<std::string> paths_;  // of the services
  const Clock& clock_;
  PageContent content_;
  net::Router router_;
};

}  // namespace sse::pages
