#pragma once

#include <string>
#include <string_view>

#include "gateway/server.h"
#include "net/listener.h"

namespace sse::gateway {

/// What --admin begins with for TLS, with the certificate of the public listener: `https://ADDR:PORT`.
inline constexpr std::string_view kAdminTls = "https://";

/// Where the admin listener is. Throws Error(kInvalidArgument) where that is no address.
inline net::ListenAddress admin_of(const ServerOptions& options) {
  return net::ListenAddress::parse(options.admin.starts_with(kAdminTls) ? options.admin.substr(kAdminTls.size())
                                                                        : options.admin);
}

}  // namespace sse::gateway
