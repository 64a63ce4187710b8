#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "api/address.h"
#include "base/clock.h"

namespace sse::ctl {

/// What a TLS server shows in a handshake.
struct TlsFacts {
  std::string error;     ///< why there was no handshake, a phrase for display; empty: there was one
  std::string protocol;  ///< `TLSv1.3`
  std::string alpn;      ///< `h2`, `http/1.1`; empty: none was chosen
  std::string distrust;  ///< why the certificate is not trusted or is another host's; empty: it is fine
  std::string subject;   ///< of the certificate, one line
  std::optional<WallTime> not_after;
};

/// Does one handshake that offers h2 and http/1.1 (RFC 7301), with the certificates of the system ($SSL_CERT_FILE) as
/// trusted ones. Blocks for at most `timeout` for the connection and again for each message of the handshake.
/// `local_address`: to connect from; empty: the system chooses. REQUIRES: `address` is no unix socket.
TlsFacts probe_tls(const api::Address& address, const std::string& local_address, std::chrono::milliseconds timeout);

}  // namespace sse::ctl
