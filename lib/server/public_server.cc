// The classes of sse-server/server.h, over the modules.
#include <utility>

#include "base/version.h"
#include "delivery/sender.h"
#include "hub/connection_scan.h"
#include "observe/log.h"
#include "server/server.h"
#include "sse-server/server.h"

namespace sse {
namespace {

delivery::SendRequest internal(SendRequest request) {
  event::normalize(request.target);
  delivery::SendRequest out;
  out.target = std::move(request.target);
  out.event = std::move(request.event);
  out.data = std::move(request.data);
  out.qos = request.qos;
  out.ttl = request.ttl;
  out.key = std::move(request.key);
  out.collapse = std::move(request.collapse);
  out.local = request.local;
  return out;
}

server::ServerOptions internal(ServerOptions options) {
  server::ServerOptions out;
  static_cast<ServerOptions&>(out) = std::move(options);
  return out;
}

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

SendResult Service::send_and_wait(SendRequest request, std::chrono::milliseconds timeout) {
  request.qos = true;
  return sender_->send_and_wait(internal(std::move(request)), timeout);
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

bool Service::close(ConnectionId id) {
  return sender_->hub().close(std::vector<ConnectionId>{id}) != 0;
}

std::size_t Service::close(Target target) {
  event::normalize(target);
  return sender_->hub().close(target);
}

struct Server::Impl {
  Impl(ServerOptions options, Callbacks callbacks, std::unique_ptr<Authenticator> authenticator)
      : log_sink(options.log_sink ? observe::add_log_sink(options.log_sink, options.log_level) : nullptr),
        server(internal(std::move(options)), std::move(callbacks), std::move(authenticator)) {}

  const std::shared_ptr<void> log_sink;  // gets the lines of the constructor and the destructor, too
  server::Server server;
};

Server::Server(ServerOptions options, Callbacks callbacks, std::unique_ptr<Authenticator> authenticator)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(callbacks), std::move(authenticator))) {}
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
  return Service(impl_->server.sender(name));
}

std::string Server::metrics() const {
  return impl_->server.metrics().prometheus();
}

}  // namespace sse
