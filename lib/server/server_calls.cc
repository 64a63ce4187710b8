// Server: what programs call, passed on to the parts that Server::Impl holds.
#include <utility>

#include "server/server.h"
#include "server/server_impl.h"

namespace sse::server {

Server::Server(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator,
               std::unique_ptr<application::Application> application)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(authenticator), std::move(application),
                                   application::Callbacks())) {}
Server::Server(ServerOptions options, Callbacks callbacks, std::unique_ptr<auth::Authenticator> authenticator) {
  if (!authenticator) authenticator = application::make_callback_authenticator(callbacks);
  const bool answers =
      callbacks.connect || callbacks.publish || callbacks.message || callbacks.upload || options.hook.empty();
  auto application = answers ? application::make_callback_application(callbacks) : nullptr;
  impl_ = std::make_unique<Impl>(std::move(options), std::move(authenticator), std::move(application),
                                 std::move(callbacks));
}
Server::~Server() = default;

void Server::start() {
  impl_->start();
}
void Server::stop() {
  impl_->stop();
}
void Server::reload() {
  impl_->reload();
}
void Server::set_channel_rules(const std::vector<std::string>& rules) {
  impl_->set_channel_rules(rules);
}
void Server::set_publish_rules(const std::vector<std::string>& rules) {
  impl_->set_publish_rules(rules);
}
std::vector<std::string> Server::stuck_threads() {
  return impl_->stuck_threads();
}
std::size_t Server::open_streams() const {
  return impl_->open_streams();
}
std::string Server::url() const {
  return impl_->url();
}
std::vector<std::string> Server::urls() const {
  return impl_->urls();
}
std::string Server::admin_address() const {
  return impl_->admin_address();
}
const std::string& Server::server_id() const {
  return impl_->server_id();
}
delivery::Sender& Server::sender(const std::string& service) {
  return impl_->sender(service);
}
auth::Tickets& Server::tickets() {
  return impl_->tickets();
}
observe::Registry& Server::metrics() {
  return impl_->metrics();
}

}  // namespace sse::server
