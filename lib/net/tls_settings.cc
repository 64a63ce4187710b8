#include "net/tls_settings.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace sse::net {

void set_common_options(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // With SSL_MODE_RELEASE_BUFFERS an idle stream, and most are idle, holds no buffers of 16 KiB.
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Otherwise OpenSSL prompts on the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
}

bool trust(SSL_CTX* context, const std::string& ca_file) {
  if (!ca_file.empty()) return SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) == 1;
  SSL_CTX_set_default_verify_paths(context);
  return true;
}

bool expect_server(SSL* session, const std::string& name) {
  // Not sent for an address, RFC 6066 §3.
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str()) == 1;
  const bool named =
      is_address || (SSL_set_tlsext_host_name(session, name.c_str()) == 1 && SSL_set1_host(session, name.c_str()) == 1);
  ERR_clear_error();
  return !name.empty() && named;
}

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? std::string(" (") + reason + ")" : std::string();
}

}  // namespace sse::net
