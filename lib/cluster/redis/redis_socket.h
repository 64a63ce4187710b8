#pragma once

#include <string>

#include "net/socket.h"

namespace sse::cluster {

/// Who a Redis server with TLS must be, and who this program is.
struct RedisTls {
  std::string ca_file{};           ///< PEM: trusts only these certificates; empty: those of the system
  std::string certificate_file{};  ///< PEM: of this program; empty: none
  std::string key_file{};          ///< that belongs to it
  std::string server_name{};       ///< in the certificate of the server; empty: the host that is connected to
};

/// Checks the files. Throws Error(kInvalidArgument) that names the option.
void check(const RedisTls& tls);

/// Begins TLS on a connected socket as the client of `host`. Throws as check().
void secure(net::Socket& socket, const RedisTls& tls, const std::string& host);

/// The text for an errno. Thread safe.
std::string error_text(int error);
/// The text for an errno of the socket's functions.
std::string reason_of(const net::Socket& socket, int error);

}  // namespace sse::cluster
