#pragma once

#include <openssl/ssl.h>

#include <string>

namespace sse::net {

/// What the contexts of servers and clients have in common: TLS 1.2 and 1.3 without renegotiation and compression,
/// buffers that idle sessions give back, and no question for a passphrase on the terminal.
void set_common_options(SSL_CTX* context);

/// Trusts only the certificates of this PEM file; empty: those of the system. False if it holds none.
bool trust(SSL_CTX* context, const std::string& ca_file);

/// Sets the name that the certificate of the server must have: a host name, which is also sent (SNI, RFC 6066 §3), or
/// an IP address. False if no certificate can have it.
bool expect_server(SSL* session, const std::string& name);

/// The reason of OpenSSL's last error on this thread as " (reason)"; empty without one.
std::string openssl_reason();

}  // namespace sse::net
