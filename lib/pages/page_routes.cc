#include "pages/page_routes.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/url.h"
#include "base/version.h"
#include "hub/connection_scan.h"
#include "net/health_routes.h"
#include "net/path_template.h"
#include "net/representation.h"
#include "pages/page_envelope.h"
#include "pages/query_pages.h"

namespace sse::pages {
namespace {

std::vector<std::string> paths_of(const std::vector<application::Service>& services) {
  std::vector<std::string> paths;
  for (const application::Service& service : services) paths.push_back(service.path);
  return paths;
}

// Of a request that is refused by its head.
std::string_view head_reason(const net::HeadRefusal& refusal) {
  if (refusal.status == 403) return "origin";
  if (refusal.status != 401) return "authentication-failed";
  if (refusal.sentence.ends_with(kTicketRefused)) return "invalid-ticket";
  return refusal.sentence == kNotAuthenticated ? "unauthenticated" : "invalid-token";
}

// A route of `service` that a member function of `routes` handles.
template <class Routes>
net::Router::Handler handler_of(const Routes& routes, const application::Service& service,
                                void (Routes::*handle)(const application::Service&, const httplib::Request&,
                                                       httplib::Response&) const) {
  return [&routes, &service, handle](const httplib::Request& req, httplib::Response& res) {
    (routes.*handle)(service, req, res);
  };
}

}  // namespace

PageRoutes::PageRoutes(net::HttplibApp& app, const std::vector<application::Service>& services,
                       auth::Authenticator& authenticator, const auth::ChannelAccess& channels,
                       application::Application* application, const auth::TrustedProxies& proxies,
                       application::ActivityLog& activity_log, observe::Registry& metrics, const PageOptions& options,
                       const std::atomic<bool>& draining)
    : server_id_(options.server_id),
      services_(services),
      queries_(options.queries),
      program_(application),
      clock_(application::clock_of(services)),
      origins_(options.cors_origins, options.allowed_hosts, options.check_hosts),
      paths_(paths_of(services)),
      admission_(authenticator, proxies, origins_, options.tickets),
      refusals_(options.server_id, origins_, paths_),
      connect_refusals_(metrics, activity_log, clock_),
      channels_(channels, metrics, clock_),
      connect_(admission_, connect_refusals_, channels_, application, options.keepalive, draining, options.canary),
      connections_(admission_),
      subscriptions_(admission_, channels_, application),
      publications_(admission_, application, metrics, clock_, options.publishing),
      application_(admission_, application, activity_log, options.upload_folder, options.nameless_requests),
      content_(options.serve_page, options.web_root),
      router_(app, write_page_error),
      planner_(router_, origins_, admission_, paths_, !options.web_root.empty(),
               [this, &proxies](const net::RequestHead& head, const net::Peer& peer, const net::HeadRefusal& refusal) {
                 const std::string address = proxies.client_address(
                     peer.address, net::joined_header(head, "X-Forwarded-For"), net::joined_header(head, "Forwarded"));
                 note_refused(head.target, address, refusal.status, head_reason(refusal), refusal.sentence);
               }) {
  app.set_default_headers({{"X-Sse-Server-Id", server_id_}, {"X-Sse-Version", base::kVersion}});
  app.set_post_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    for (const auto& [name, value] : origins_.headers_for(req.get_header_value("Origin"))) res.set_header(name, value);
  });
  app.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    const std::string host = req.get_header_value("Host");
    if (origins_.allows_host(host)) return httplib::Server::HandlerResponse::Unhandled;
    write_page_error(res, 403, "", net::unknown_host(host));
    if (req.method != "HEAD")
      note_refused(req.target, admission_.client_address(req), 403, "host", net::unknown_host(host));
    return httplib::Server::HandlerResponse::Handled;
  });
  for (const application::Service& service : services) content_.add_service(service.path);
  for (const application::Service& service : services) add_service(service);
  if (options.health) net::add_health_routes(router_, [&draining] { return !draining.load(); });
  for (const std::string& path : content_.paths()) router_.handled_elsewhere(net::PathTemplate::literal(path));
}

void PageRoutes::add_service(const application::Service& service) {
  const std::string base = net::PathTemplate::literal(service.path);
  router_.get(base + "/connect", handler_of(connect_, service, &ConnectRoute::connect));
  router_.post(base + "/connect", handler_of(connect_, service, &ConnectRoute::connect));
  router_.post(base + "/connect/addListener.do", handler_of(connections_, service, &ConnectionRoutes::add_listeners));
  router_.post(base + "/connect/removeListener.do",
               handler_of(connections_, service, &ConnectionRoutes::remove_listeners));
  router_.post(base + "/connect/subscribe.do", handler_of(subscriptions_, service, &SubscriptionRoutes::subscribe));
  router_.post(base + "/connect/unsubscribe.do", handler_of(subscriptions_, service, &SubscriptionRoutes::unsubscribe));
  router_.post(base + "/connect/publish.do", [this, &service](const httplib::Request& req, httplib::Response& res) {
    publications_.publish(service, req, res);
  });
  router_.post(base + "/connect/message/{+}.do", handler_of(application_, service, &ApplicationRoutes::message));
  router_.post(base + "/connect/upload/{+}.do", handler_of(application_, service, &ApplicationRoutes::upload));
  router_.post(base + "/connect/ack.do", handler_of(connections_, service, &ConnectionRoutes::acknowledge));
  router_.post(base + "/connect/disconnect.do", handler_of(connections_, service, &ConnectionRoutes::disconnect));
  router_.get(base + "/connect/{users|connections|repositoryMessages}.json",
              [this, &service](const httplib::Request& req, httplib::Response& res) { query(service, req, res); });
  router_.options(base + "/{*}", [](const httplib::Request& req, httplib::Response& res) {
    if (req.has_header("Access-Control-Request-Headers")) {
      res.set_header("Access-Control-Allow-Headers", req.get_header_value("Access-Control-Request-Headers"));
    }
    res.set_header("Access-Control-Allow-Methods", "GET, HEAD, POST");
    // Two hours, the most that Chromium uses: with an Authorization header every new URL needs a preflight.
    res.set_header("Access-Control-Max-Age", "7200");
    res.status = 204;
  });
}

void PageRoutes::note_refused(std::string_view target, std::string address, int status, std::string_view reason,
                              std::string sentence) const {
  const std::string_view path = target.substr(0, target.find('?'));
  const auto asked = std::ranges::find_if(
      services_, [&](const application::Service& service) { return path == service.path + "/connect"; });
  if (asked == services_.end()) return;
  connect_refusals_.note({.service = asked->sender->service(),
                          .address = std::move(address),
                          .query = without_tickets(query_of(target)),
                          .status = status,
                          .reason = reason,
                          .sentence = std::move(sentence)});
}

void PageRoutes::query(const application::Service& service, const httplib::Request& req, httplib::Response& res) const {
  if (queries_ == nullptr) {
    throw Error(ErrorCode::kPermissionDenied, "queries by pages are disabled on this server (--enable-get-json)");
  }
  const auth::User requester = admission_.require_sender(req).user;
  const std::string list = req.matches[1].str();
  if (program_ != nullptr && !program_->may_query({service.sender->service(), requester, list}))
    throw Error(ErrorCode::kPermissionDenied, "this user may not read '" + list + "' of this server");
  const hub::ConnectionDirectory& connections = service.sender->hub().directory();
  const QueryRequester asking{requester.identity, [&](const std::string& channel) {
                                const ChannelName name(channel);
                                if (channels_.may_read(requester, name)) return true;
                                // A stream of the requester proves what the application has allowed.
                                hub::ConnectionFilter own;
                                own.user = requester.identity.user;
                                own.channel = name;
                                return std::ranges::any_of(
                                    connections.describe(hub::find(connections, own)),
                                    [&](const auto& stream) { return hub::owns(requester.identity, stream.identity); });
                              }};
  answer_ok(res, query_page(service, *queries_, server_id_, list, req, asking));
}

std::optional<net::Reply> PageRoutes::content(const net::RequestHead& head, bool keep_alive) const {
  // The pre-routing handler refuses it.
  if (!origins_.allows_host(net::header_value(head, "Host"))) return std::nullopt;
  if (const auto location = paths_.without_slash(head.target)) {
    return net::short_reply(head, "308 Permanent Redirect",
                            refusals_.common_headers(head) + "Location: " + *location + "\r\n",
                            "text/plain; charset=utf-8", std::string(kWithoutSlash) + "\n", keep_alive);
  }
  return content_.answer(head, refusals_.common_headers(head), keep_alive, clock_.wall_now());
}

}  // namespace sse::pages
