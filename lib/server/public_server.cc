// The classes of sse-server/server.h, over the modules.
#include <memory>
#include <utility>

#include "auth/tickets.h"
#include "base/error.h"
#include "base/version.h"
#include "cluster/http_cluster.h"
#include "delivery/sender.h"
#include "hub/connection_change.h"
#include "hub/connection_scan.h"
#include "observe/barrier.h"
#include "observe/log.h"
#include "server/server.h"
#include "sse-server/server.h"

namespace sse {
namespace {

delivery::SendRequest internal(SendRequest request) {
  event::normalize({request.target, request.also, request.except}, request.qos);
  delivery::SendRequest out;
  out.target = std::move(request.target);
  out.also = std::move(request.also);
  out.except = std::move(request.except);
  out.event = std::move(request.event);
  out.data = std::move(request.data);
  out.qos = request.qos;
  out.ttl = request.ttl;
  out.key = std::move(request.key);
  out.collapse = std::move(request.collapse);
  out.local = request.local;
  out.trace = parse_traceparent(request.traceparent);
  out.notify = request.notify;
  return out;
}

server::ServerOptions internal(ServerOptions options, Components& components) {
  server::ServerOptions out;
  static_cast<ServerOptions&>(out) = std::move(options);
  out.own_repository = std::move(components.repository);
  out.own_discovery = std::move(components.discovery);
  if (out.own_discovery && !out.discovery.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the program has a discovery of its own: leave out ServerOptions::discovery (--discovery)");
  }
  if (out.own_discovery) out.discovery = cluster::kOwnDiscovery;
  return out;
}

// Calls a callback once, also when the send is dropped because the server stops.
class SentReport {
 public:
  explicit SentReport(Service::Sent sent) : sent_(std::move(sent)) {}
  ~SentReport() {
    complete({{}, ErrorInfo{ErrorCode::kUnavailable, "the server stops: the event may not have reached its streams"}});
  }
  SentReport(const SentReport&) = delete;
  SentReport& operator=(const SentReport&) = delete;

  void complete(SendOutcome outcome) {
    if (const Service::Sent sent = std::exchange(sent_, nullptr))
      observe::guarded("the callback of a send", [&] { sent(std::move(outcome)); });
  }

 private:
  Service::Sent sent_;
};

}  // namespace

std::string_view version() {
  return base::kVersion;
}

std::string Service::name() const {
  return sender_->service().str();
}

SendResult Service::send(SendRequest request) {
  return sender_->send(internal(std::move(request)));
}

std::vector<SendOutcome> Service::send_all(std::vector<SendRequest> requests) {
  std::vector<SendOutcome> outcomes(requests.size());
  std::vector<delivery::SendRequest> valid;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      valid.push_back(internal(std::move(requests[i])));
      numbers.push_back(i);
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  if (valid.empty()) return outcomes;
  std::vector<SendOutcome> sent = sender_->send_all(std::move(valid));
  for (std::size_t i = 0; i < sent.size(); ++i) outcomes[numbers[i]] = std::move(sent[i]);
  return outcomes;
}

void Service::send_async(SendRequest request, Sent sent) {
  sender_->hub().check_runs();
  const auto report = std::make_shared<SentReport>(std::move(sent));
  const auto done = [report](std::vector<SendOutcome> outcomes) { report->complete(std::move(outcomes.front())); };
  try {
    delivery::SendRequest checked = internal(std::move(request));
    if (sender_->sends_async(checked.qos)) {
      sender_->send_async(std::move(checked), done);
      return;
    }
    std::vector<delivery::SendRequest> one;
    one.push_back(std::move(checked));
    sender_->send_all_async(std::move(one), done);
  } catch (const Error& e) {
    report->complete({{}, ErrorInfo{e.code(), e.what()}});
  }
}

SendResult Service::send_and_wait(SendRequest request, std::chrono::milliseconds timeout) {
  request.qos = true;
  return sender_->send_and_wait(internal(std::move(request)), timeout);
}

Ticket Service::create_ticket(const User& user, std::chrono::milliseconds lifetime) {
  return tickets_->create(sender_->service(), user, lifetime);
}

std::vector<ConnectionInfo> Service::connections(const ConnectionFilter& filter) const {
  return sender_->hub().directory().describe(hub::find(sender_->hub().directory(), filter));
}

std::optional<ConnectionInfo> Service::connection(ConnectionId id) const {
  return sender_->hub().directory().describe(id);
}

std::vector<std::string> Service::names(TargetKind kind) const {
  return sender_->hub().directory().names(kind);
}

std::size_t Service::size() const {
  return sender_->hub().directory().connections();
}

std::optional<ConnectionInfo> Service::change(ConnectionId id, const ConnectionChange& change) {
  return hub::change_connection(sender_->hub(), id, change);
}

bool Service::close(ConnectionId id) {
  return sender_->hub().close(std::vector<ConnectionId>{id}) != 0;
}

std::size_t Service::close(Target target) {
  event::normalize(target);
  return sender_->hub().close(target);
}

struct Server::Impl {
  Impl(ServerOptions options, Callbacks callbacks, Components components)
      : log_sink(options.log_sink ? observe::add_log_sink(options.log_sink, options.log_level) : nullptr),
        server(internal(std::move(options), components), std::move(callbacks), std::move(components.authenticator)) {}

  const std::shared_ptr<void> log_sink;  // gets the lines of the constructor and the destructor, too
  server::Server server;
};

Server::Server(ServerOptions options, Callbacks callbacks, std::unique_ptr<Authenticator> authenticator)
    : Server(std::move(options), std::move(callbacks), Components{std::move(authenticator), {}, {}}) {}
Server::Server(ServerOptions options, Callbacks callbacks, Components components)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(callbacks), std::move(components))) {}
Server::~Server() = default;

void Server::start() {
  impl_->server.start();
}

void Server::stop() {
  impl_->server.stop();
}

void Server::reload() {
  impl_->server.reload();
}

void Server::set_channel_rules(const std::vector<std::string>& rules) {
  impl_->server.set_channel_rules(rules);
}

void Server::set_publish_rules(const std::vector<std::string>& rules) {
  impl_->server.set_publish_rules(rules);
}

std::string Server::url() const {
  return impl_->server.url();
}

std::string Server::admin_address() const {
  return impl_->server.admin_address();
}

std::string Server::server_id() const {
  return impl_->server.server_id();
}

Service Server::service(const std::string& name) {
  return {impl_->server.sender(name), impl_->server.tickets()};
}

std::string Server::metrics() const {
  return impl_->server.metrics().prometheus();
}

}  // namespace sse
