#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/listener.h"
#include "server/server.h"

namespace sse::server {

/// The listeners of --listen, in order; at least one. Throws Error.
std::vector<std::unique_ptr<net::Listener>> open_public_listeners(const ServerOptions& options);
/// The listener of --admin; null without one. Throws Error.
std::unique_ptr<net::Listener> open_admin_listener(const ServerOptions& options);
/// The URL of a public listener as operators write it: `http://…`, `https://…`, or the address of a unix socket, on
/// which TLS is not spoken.
std::string public_url(const ServerOptions& options, const net::ListenAddress& address);

}  // namespace sse::server
