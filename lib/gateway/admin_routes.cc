#include "gateway/admin_routes.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "api/types.h"
#include "base/text.h"
#include "base/units.h"
#include "base/version.h"
#include "gateway/admin_http.h"
#include "gateway/closed_routes.h"
#include "gateway/connection_json.h"

namespace sse::gateway {

extern const std::string_view kOpenApi;

namespace {

using admin::answer;
using admin::Page;
using admin::path_id;
using admin::problem;
using admin::require_parameters;
using event::Json;

constexpr const char* kNdjson = "application/x-ndjson";
constexpr std::size_t kMostBulkLines = 100'000;

}  // namespace

void AdminToken::set(std::string token) {
  const MutexLock lock(mutex_);
  token_ = std::move(token);
}

bool AdminToken::accepts(const std::string& authorization) const {
  const MutexLock lock(mutex_);
  if (token_.empty()) return true;
  constexpr std::string_view kScheme = "bearer ";
  if (to_lower(authorization.substr(0, kScheme.size())) != kScheme) return false;
  return constant_time_equal(std::string_view(authorization).substr(kScheme.size()), token_);
}

AdminRoutes::AdminRoutes(net::HttplibApp& app, Dependencies dependencies)
    : deps_(std::move(dependencies)),
      router_(app, admin::write_problem),
      presence_(router_, deps_.services, deps_.server_id),
      durations_(router_, deps_.services, deps_.catalog) {
  app.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    if (deps_.token.accepts(req.get_header_value("Authorization"))) return httplib::Server::HandlerResponse::Unhandled;
    res.set_header("WWW-Authenticate", "Bearer");
    admin::write_problem(res, 401, "unauthenticated",
                         "this listener needs the token of --admin-token-file as 'Authorization: Bearer …'");
    return httplib::Server::HandlerResponse::Handled;
  });
  const auto bound = [this](void (AdminRoutes::*handle)(const httplib::Request&, httplib::Response&)) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  router_.post("\\/api\\/v1\\/send", bound(&AdminRoutes::send));
  router_.get("\\/api\\/v1\\/status",
              [this](const httplib::Request&, httplib::Response& res) { answer(res, deps_.status()); });
  router_.post("\\/api\\/v1\\/connections\\/close", bound(&AdminRoutes::close_connections));
  add_closed_routes(router_, deps_.services);
  router_.get("\\/api\\/v1\\/connections\\/([^\\/]{1,40})", bound(&AdminRoutes::show_connection));
  router_.get("\\/api\\/v1\\/messages", bound(&AdminRoutes::list_messages));
  router_.get("\\/api\\/v1\\/messages\\/([^\\/]{1,40})", bound(&AdminRoutes::show_message));
  router_.del("\\/api\\/v1\\/messages\\/([^\\/]{1,40})", bound(&AdminRoutes::delete_message));
  router_.get("\\/api\\/openapi\\.json", [](const httplib::Request&, httplib::Response& res) {
    res.set_content(kOpenApi.data(), kOpenApi.size(), admin::kJsonType);
  });
  router_.get("\\/healthz",
              [](const httplib::Request&, httplib::Response& res) { res.set_content("ok\n", "text/plain"); });
  router_.get("\\/readyz", [this](const httplib::Request&, httplib::Response& res) {
    const bool ready = deps_.ready();
    res.status = ready ? 200 : 503;
    res.set_content(ready ? "ready\n" : "draining\n", "text/plain");
  });
  router_.get("\\/metrics", [this](const httplib::Request&, httplib::Response& res) {
    res.set_content(deps_.metrics.prometheus(), "text/plain; version=0.0.4; charset=utf-8");
  });
}

const Service& AdminRoutes::service(const std::string& name) const {
  return admin::find_service(deps_.services, name);
}

delivery::SendRequest AdminRoutes::send_request(api::SendRequest&& asked) {
  return {std::move(asked.target), std::move(asked.event), std::move(asked.data), asked.qos,
          asked.ttl.value_or(std::chrono::milliseconds(0))};
}

void AdminRoutes::send(const httplib::Request& req, httplib::Response& res) {
  if (to_lower(req.get_header_value("Content-Type")).starts_with(kNdjson)) {
    send_bulk(req, res);
    return;
  }
  api::SendRequest asked = api::send_request_from_json(event::parse_json(req.body, "the request body"));
  delivery::Sender& sender = *service(asked.service.str()).sender;
  answer(res, to_json(sender.send(send_request(std::move(asked)))));
}

// A request a line; a result or a problem a line. All that ask for qos share a commit.
void AdminRoutes::send_bulk(const httplib::Request& req, httplib::Response& res) {
  struct Group {
    std::vector<delivery::SendRequest> requests;
    std::vector<std::size_t> lines;
  };
  std::map<delivery::Sender*, Group> groups;
  std::vector<Json> answers;
  std::string_view rest = req.body;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (answers.size() == kMostBulkLines) {
      throw Error(ErrorCode::kTooLarge,
                  "more than " + std::to_string(kMostBulkLines) + " messages in one request; send several");
    }
    answers.emplace_back();
    try {
      api::SendRequest asked = api::send_request_from_json(event::parse_json(line, "the line"));
      delivery::Sender* sender = service(asked.service.str()).sender.get();
      Group& group = groups[sender];
      group.requests.push_back(send_request(std::move(asked)));
      group.lines.push_back(answers.size() - 1);
    } catch (const Error& e) {
      answers.back() = problem(http_status(e.code()), std::string(error_name(e.code())), e.what());
    }
  }
  for (auto& [sender, group] : groups) {
    const std::vector<delivery::SendOutcome> outcomes = sender->send_all(group.requests);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto& refusal = outcomes[i].refusal;
      answers[group.lines[i]] =
          refusal ? problem(http_status(refusal->code), std::string(error_name(refusal->code)), refusal->sentence)
                  : to_json(outcomes[i].result);
    }
  }
  std::string out;
  for (const Json& line : answers) out += event::dump_json(line) + "\n";
  res.set_content(out, kNdjson);
}

void AdminRoutes::show_connection(const httplib::Request& req, httplib::Response& res) {
  const ConnectionId id(path_id(req));
  const std::string named = req.get_param_value("service");
  if (!named.empty()) service(named);
  for (const Service& candidate : deps_.services) {
    if (!named.empty() && candidate.sender->service().str() != named) continue;
    if (const auto info = candidate.sender->hub().describe(id)) {
      answer(res, to_json(*info, candidate.sender->service(), deps_.server_id));
      return;
    }
  }
  throw Error(ErrorCode::kNotFound, "no connection " + id.str() + " is open here");
}

void AdminRoutes::close_connections(const httplib::Request& req, httplib::Response& res) {
  const api::CloseRequest asked = api::close_request_from_json(event::parse_json(req.body, "the request body"));
  if (asked.target && asked.target->listening) {
    throw Error(ErrorCode::kInvalidArgument, "a close request names no event, so that 'listening' means nothing");
  }
  hub::Hub& hub = service(asked.service.str()).sender->hub();
  answer(res, {{"closed", asked.target ? hub.close(*asked.target) : hub.close(asked.ids)}});
}

void AdminRoutes::list_messages(const httplib::Request& req, httplib::Response& res) {
  require_parameters(req, {"service", "kind", "recipient", "event", "pageNum", "pageSize"});
  const Page page = Page::of(req);
  delivery::MessageFilter filter;
  if (req.has_param("service")) filter.service = service(req.get_param_value("service")).sender->service();
  if (req.has_param("kind")) filter.kind = event::kind_from_name(req.get_param_value("kind"));
  filter.recipient = req.get_param_value("recipient");
  filter.event = req.get_param_value("event");
  Json list = Json::array();
  for (const delivery::PendingMessage& message : deps_.catalog.list(filter, page.skip(), page.size))
    list.push_back(to_json(message, false));
  answer(res, page.json(deps_.catalog.count(filter), std::move(list)));
}

void AdminRoutes::show_message(const httplib::Request& req, httplib::Response& res) {
  const MessageId id(path_id(req));
  Json list = Json::array();
  for (const delivery::PendingMessage& message : deps_.catalog.find(id)) list.push_back(to_json(message, true));
  if (list.empty()) throw Error(ErrorCode::kNotFound, "no message " + id.str() + " is pending");
  answer(res, {{"list", std::move(list)}});
}

void AdminRoutes::delete_message(const httplib::Request& req, httplib::Response& res) {
  const MessageId id(path_id(req));
  const std::uint64_t deleted = deps_.catalog.erase(id);
  if (deleted == 0) throw Error(ErrorCode::kNotFound, "no message " + id.str() + " is pending");
  answer(res, {{"deleted", deleted}});
}

}  // namespace sse::gateway
