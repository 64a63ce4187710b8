#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "delivery/sender.h"
#include "gateway/application.h"
#include "gateway/authenticator.h"
#include "gateway/happenings.h"
#include "gateway/origin_policy.h"
#include "gateway/page_content.h"
#include "gateway/router.h"
#include "gateway/trusted_proxies.h"
#include "net/http_front.h"

namespace sse::gateway {

/// Most bytes of the body of disconnect.do, which is read before anybody is asked who sends it.
inline constexpr ByteCount kMaxGoodbye = kibibytes(4);
/// Most bytes of a body that is url-encoded; cpp-httplib refuses larger ones.
inline constexpr ByteCount kMaxForm = kibibytes(8);

/// One hosted service: its path and everything behind it.
struct Service {
  std::string path;  ///< `/my-sse`
  std::unique_ptr<delivery::Sender> sender;
};

/// That of the server. REQUIRES: the services are there.
inline const Clock& clock_of(const std::vector<Service>& services) {
  return services.front().sender->clock();
}

struct PageOptions {
  std::string server_id;
  bool serve_page = true;                              ///< the demo page at `/`
  std::string web_root;                                ///< a folder whose files are served at `/`; empty: none
  std::optional<std::chrono::milliseconds> keepalive;  ///< set: wins over the client's keepaliveTime
  std::vector<std::string> cors_origins;               ///< `*` or origins; empty: same origin only
  std::vector<std::string> allowed_hosts;              ///< that Host may name, with check_hosts
  bool check_hosts = false;                            ///< a Host that is not known is refused: see OriginPolicy
  delivery::MessageCatalog* queries = nullptr;         ///< set: pages may ask who is online and what is pending
  std::string upload_folder = "/tmp";                  ///< where uploads wait for the application's answer
};

/// What browsers speak (PROTOCOL.md): the client module, streams, what pages send back, the demo page.
class PageRoutes {
 public:
  /// Registers all routes on `app`. References must outlive it. `application` may be null: then messages and uploads
  /// get 404.
  PageRoutes(net::HttplibApp& app, const std::vector<Service>& services, Authenticator& authenticator,
             Application* application, const TrustedProxies& proxies, Happenings& happenings, PageOptions options,
             const std::atomic<bool>& draining);

  /// How the front says no, before a route has seen the request: to pages wrapped like every answer, with the headers
  /// that let them read it. Thread safe.
  net::RefusalText refusal(const net::RequestHead& head, int status, const std::string& sentence) const;
  /// As refusal(), the complete response to a request as normalized_request() writes it.
  std::string refusal_response(std::string_view request, int status, const std::string& sentence) const;
  /// What the head of a request with a body decides: whether there is such a path, how large the body may be, and who
  /// must be asked before it is read. Thread safe; does not block.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;

  /// What needs no application: the client module, the demo page, files (FrontOptions::content).
  std::optional<net::Reply> content(const net::RequestHead& head, bool keep_alive) const;

 private:
  void add_service(const Service& service);
  void connect(const Service& service, const httplib::Request& req, httplib::Response& res);
  void change_listeners(const Service& service, const httplib::Request& req, httplib::Response& res, bool add);
  void message(const Service& service, const httplib::Request& req, httplib::Response& res);
  void upload(const Service& service, const httplib::Request& req, httplib::Response& res);
  /// Asks the application; throws when the page may not have its stream.
  void ask_application(const Service& service, hub::NewConnection& fresh);
  /// Writes what `ask` returns or throws, and publishes it.
  void answer_page(Happening::Type type, const ApplicationRequest& request, httplib::Response& res,
                   const std::function<Answer()>& ask);
  void acknowledge(const Service& service, const httplib::Request& req, httplib::Response& res);
  void disconnect(const Service& service, const httplib::Request& req, httplib::Response& res);
  std::optional<User> authenticate(const httplib::Request& req) const;
  /// Whether who sends a request may, by its head alone.
  net::AdmitResult admit(const net::RequestHead& head, const net::Peer& peer, OriginPolicy::Use use) const;
  /// What follows the service's path in a target of a service; nullopt for others.
  std::optional<std::string_view> path_in_service(std::string_view target) const;
  /// Authenticated or an Error(kUnauthenticated).
  User require_user(const httplib::Request& req) const;
  /// The page's own connection, its request counted, or an Error(kNotFound).
  hub::ConnectionInfo require_connection(const Service& service, const httplib::Request& req,
                                         hub::Hub::Request kind) const;
  std::string client_address(const httplib::Request& req) const;
  /// Throws Error(kPermissionDenied) for a request that a page of a foreign origin caused.
  void require_admitted(const PageRequest& request, OriginPolicy::Use use) const;
  /// Lines that every answer has.
  std::string common_headers(const net::RequestHead& head) const;

  Authenticator& authenticator_;
  Application* application_;
  const TrustedProxies& proxies_;
  Happenings& happenings_;
  const PageOptions options_;
  const OriginPolicy origins_;
  const std::atomic<bool>& draining_;
  std::vector<std::string> paths_;  // of the services
  const Clock& clock_;
  PageContent content_;
  Router router_;
};

}  // namespace sse::gateway
