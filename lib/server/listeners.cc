#include "server/listeners.h"

#include "base/fd.h"
#include "server/admin_address.h"

namespace sse::server {
namespace {

std::unique_ptr<net::Listener> open_listener(const ServerOptions& options, const net::ListenAddress& address,
                                             const std::string& option, const net::SocketAccess& access) {
  const auto open = options.open_sockets.find(address.str());
  if (open != options.open_sockets.end()) return std::make_unique<net::Listener>(UniqueFd(open->second));
  return std::make_unique<net::Listener>(address, option, access);
}

}  // namespace

std::vector<std::unique_ptr<net::Listener>> open_public_listeners(const ServerOptions& options) {
  const net::SocketAccess access{options.listen_socket_mode, options.listen_socket_group, "--listen-socket-group"};
  std::vector<std::unique_ptr<net::Listener>> listeners;
  const auto open = [&](const std::string& text) {
    listeners.push_back(open_listener(options, net::ListenAddress::parse(text), "--listen", access));
  };
  open(options.listen);
  for (const std::string& text : options.also_listen) open(text);
  return listeners;
}

std::unique_ptr<net::Listener> open_admin_listener(const ServerOptions& options) {
  if (options.admin.empty()) return nullptr;
  net::SocketAccess access{options.admin_socket_mode, options.admin_socket_group, "--admin-socket-group"};
  if (access.mode == 0) access.mode = access.group.empty() ? 0600 : 0660;
  return open_listener(options, parse_admin_address(options), "--admin", access);
}

std::string public_url(const ServerOptions& options, const net::ListenAddress& address) {
  if (address.is_unix()) return address.str();
  return (options.tls_certificate.empty() ? "http://" : "https://") + address.str();
}

}  // namespace sse::server
