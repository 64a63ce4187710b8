#pragma once

#include <string>
#include <string_view>

#include "gateway/server.h"
#include "net/listener.h"

namespace sse::gateway {

// `https://ADDR:PORT`: with the certificate of the public listener.
inline constexpr std::string_view kAdminTls = "https://";

inline net::ListenAddress admin_of(const ServerOptions& options) {
  return net::ListenAddress::parse(options.admin.starts_with(kAdminTls) ? options.admin.substr(kAdminTls.size())
                                                                        : options.admin);
}

}  // namespace sse::gateway
