#include "admin/admin_routes.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "admin/admin_http.h"
#include "admin/closed_routes.h"
#include "api/change_request.h"
#include "api/types.h"
#include "application/connection_json.h"
#include "base/text.h"
#include "hub/connection_change.h"
#include "net/health_routes.h"

namespace sse::admin {

extern const std::string_view kOpenApi;

namespace {

using event::Json;

constexpr const char* kNeedsToken = "this listener needs the token of --admin-token-file as 'Authorization: Bearer …'";

constexpr ByteCount kMaxTicketBody = kibibytes(64);

std::string_view code_of(int status) {
  for (const ErrorCode code : {ErrorCode::kUnauthenticated, ErrorCode::kPermissionDenied, ErrorCode::kNotFound,
                               ErrorCode::kTooLarge, ErrorCode::kUnavailable}) {
    if (http_status(code) == status) return error_name(code);
  }
  return error_name(status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument);
}

}  // namespace

void AdminToken::set(std::string token) {
  const MutexLock lock(mutex_);
  token_ = std::move(token);
}

bool AdminToken::required() const {
  const MutexLock lock(mutex_);
  return !token_.empty();
}

bool AdminToken::accepts(const std::string& authorization) const {
  const MutexLock lock(mutex_);
  if (token_.empty()) return true;
  constexpr std::string_view kScheme = "bearer ";
  if (to_lower(authorization.substr(0, kScheme.size())) != kScheme) return false;
  return constant_time_equal(std::string_view(authorization).substr(kScheme.size()), token_);
}

std::string AdminToken::authorization() const {
  const MutexLock lock(mutex_);
  return token_.empty() ? std::string() : "Bearer " + token_;
}

AdminRoutes::AdminRoutes(net::HttplibApp& app, Dependencies dependencies)
    : deps_(std::move(dependencies)),
      console_(deps_.token, deps_.allowed_hosts),
      router_(app, write_problem),
      presence_(router_, deps_.services, deps_.server_id),
      channels_(router_, deps_.channels),
      durations_(router_, deps_.services, deps_.catalog),
      sends_(router_, deps_.services, deps_.dead),
      messages_(router_, deps_.services, {deps_.catalog, deps_.dead, deps_.expire}),
      exports_(router_, deps_.services, {deps_.catalog, deps_.dead, deps_.expire}),
      dead_letters_(router_, deps_.services, {deps_.catalog, deps_.dead, deps_.expire}, deps_.metrics),
      node_routes_(router_, deps_.nodes) {
  app.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    if (deps_.token.accepts(req.get_header_value("Authorization"))) return httplib::Server::HandlerResponse::Unhandled;
    res.set_header("WWW-Authenticate", "Bearer");
    write_problem(res, 401, "unauthenticated", kNeedsToken);
    return httplib::Server::HandlerResponse::Handled;
  });
  app.set_post_routing_handler([](const httplib::Request&, httplib::Response& res) {
    // A response may show what users have sent, and is of this moment.
    res.set_header("X-Content-Type-Options", "nosniff");
    if (!res.has_header("Cache-Control")) res.set_header("Cache-Control", "no-store");
  });
  console_.add_paths(router_);
  const auto bound = [this](void (AdminRoutes::*handle)(const httplib::Request&, httplib::Response&)) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  router_.get("/api/v1/status",
              [this](const httplib::Request&, httplib::Response& res) { write_json(res, deps_.status()); });
  router_.post("/api/v1/connections/close", bound(&AdminRoutes::close_connections));
  add_closed_routes(router_, deps_.services);
  router_.get("/api/v1/connections/{}", bound(&AdminRoutes::show_connection));
  router_.post("/api/v1/connections/{}", bound(&AdminRoutes::change_connection));
  if (deps_.tickets != nullptr) router_.post("/api/v1/tickets", bound(&AdminRoutes::create_ticket));
  router_.get("/api/openapi.json", [](const httplib::Request&, httplib::Response& res) {
    res.set_content(kOpenApi.data(), kOpenApi.size(), kJsonType);
  });
  net::add_health_routes(router_, deps_.ready);
  router_.get("/metrics", [this](const httplib::Request&, httplib::Response& res) {
    res.set_content(deps_.metrics.prometheus(), "text/plain; version=0.0.4; charset=utf-8");
  });
}

void AdminRoutes::decide(const net::RequestHead& head, net::RequestPlan& plan) const {
  plan.refusal = console_.refuse(head);
  if (plan.refusal || (head.framing != net::BodyFraming::kChunked && head.content_length == 0)) return;
  if (!deps_.token.accepts(std::string(net::header_value(head, "Authorization")))) {
    plan.refusal = net::HeadRefusal{401, kNeedsToken, "WWW-Authenticate: Bearer\r\n"};
    return;
  }
  plan.refusal = router_.refuse(head.method, head.target);
  if (head.method != "POST") plan.max_body = std::min(plan.max_body, net::kMaxIgnoredBody);
  // These bodies are lists of names, which a cluster sends to every node in pieces.
  const std::string_view path = head.target.substr(0, head.target.find('?'));
  if (path == "/api/v1/connections/close" || path.starts_with("/api/v1/durations"))
    plan.max_body = std::min(plan.max_body, net::kMaxNamesBody);
  if (path == "/api/v1/tickets") plan.max_body = std::min(plan.max_body, kMaxTicketBody);
}

net::RefusalText AdminRoutes::refusal(const net::RequestHead& /*head*/, int status, const std::string& sentence) {
  net::RefusalText text;
  text.content_type = "application/problem+json";
  text.body = event::dump_json(problem(status, std::string(code_of(status)), sentence));
  return text;
}

const application::Service& AdminRoutes::service(const std::string& name) const {
  return find_service(deps_.services, name);
}

void AdminRoutes::show_connection(const httplib::Request& req, httplib::Response& res) {
  write_connection(req, res, [](const hub::Hub& hub, ConnectionId id) { return hub.directory().describe(id); });
}

void AdminRoutes::change_connection(const httplib::Request& req, httplib::Response& res) {
  const ConnectionChange change = api::connection_change_from_json(event::parse_json(req.body, "the request body"));
  write_connection(req, res, [&](hub::Hub& hub, ConnectionId id) { return hub::change_connection(hub, id, change); });
}

void AdminRoutes::write_connection(
    const httplib::Request& req, httplib::Response& res,
    const std::function<std::optional<hub::ConnectionInfo>(hub::Hub&, ConnectionId)>& find) const {
  const ConnectionId id(path_id(req));
  const std::string named = req.get_param_value("service");
  if (!named.empty()) service(named);
  for (const application::Service& candidate : deps_.services) {
    if (!named.empty() && candidate.sender->service().str() != named) continue;
    if (const auto info = find(candidate.sender->hub(), id)) {
      write_json(res, application::to_json(*info, candidate.sender->service(), deps_.server_id));
      return;
    }
  }
  throw Error(ErrorCode::kNotFound, "no connection " + id.str() + " is open here");
}

void AdminRoutes::close_connections(const httplib::Request& req, httplib::Response& res) {
  const api::CloseRequest api_request = api::close_request_from_json(event::parse_json(req.body, "the request body"));
  if (api_request.target && api_request.target->listening) {
    throw Error(ErrorCode::kInvalidArgument, "a close request has no event, so 'listening' does not apply");
  }
  hub::Hub& hub = service(api_request.service.str()).sender->hub();
  write_json(res, {{"closed", api_request.target ? hub.close(*api_request.target) : hub.close(api_request.ids)}});
}

void AdminRoutes::create_ticket(const httplib::Request& req, httplib::Response& res) {
  const api::TicketRequest api_request = api::ticket_request_from_json(event::parse_json(req.body, "the request body"));
  const ServiceName& name = service(api_request.service.str()).sender->service();
  auth::User user{{UserId(api_request.user), TenantId(api_request.tenant), AccessToken(api_request.token)},
                  api_request.profile};
  user.channels = api_request.channels;
  const Ticket ticket = deps_.tickets->create(name, user, api_request.ttl.value_or(kTicketLifetime));
  res.set_header("Cache-Control", "no-store");
  write_json(res, {{"ticket", ticket.text},
                   {"service", name.str()},
                   {"user", api_request.user},
                   {"expireTime", to_millis(ticket.expires)}});
}

}  // namespace sse::admin
