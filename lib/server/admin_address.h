#pragma once

#include <string>
#include <string_view>

#include "net/listener.h"
#include "server/server.h"

namespace sse::server {

/// Prefix of --admin for TLS with the certificate of the public listener: `https://ADDR:PORT`.
inline constexpr std::string_view kAdminTls = "https://";

/// The address of the admin listener. Throws Error(kInvalidArgument) if --admin is not a valid address.
inline net::ListenAddress parse_admin_address(const ServerOptions& options) {
  return net::ListenAddress::parse(options.admin.starts_with(kAdminTls) ? options.admin.substr(kAdminTls.size())
                                                                        : options.admin);
}

}  // namespace sse::server
