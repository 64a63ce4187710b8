#include "net/tls_client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "base/text.h"

namespace sse::net {
namespace {

[[noreturn]] void refuse_file(const std::string& file, const std::string& option, const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  const std::string why = reason != nullptr ? std::string(" (") + reason + ")" : "";
  ERR_clear_error();
  throw Error(ErrorCode::kInvalidArgument, "'" + printable(file, 200) + "' of " + option + " " + what + why);
}

}  // namespace

void TlsClientContext::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

TlsClientContext::TlsClientContext(const Options& options) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* ctx = context_.get();
  if (ctx == nullptr) throw Error(ErrorCode::kInternal, "OpenSSL cannot be set up");
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  // Otherwise OpenSSL prompts on the terminal.
  SSL_CTX_set_default_passwd_cb(ctx, [](char*, int, int, void*) { return -1; });
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else if (SSL_CTX_load_verify_locations(ctx, options.ca_file.c_str(), nullptr) != 1) {
    refuse_file(options.ca_file, options.ca_option, "holds no certificates in PEM form");
  }
  if (!options.certificate_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(ctx, options.certificate_file.c_str()) != 1)
      refuse_file(options.certificate_file, options.certificate_option, "holds no usable certificate in PEM form");
    if (SSL_CTX_use_PrivateKey_file(ctx, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
      refuse_file(options.key_file, options.key_option,
                  "holds no private key in PEM form, without a passphrase, of the certificate of " +
                      options.certificate_option);
    }
  }
  ERR_clear_error();
}

TlsClientContext::~TlsClientContext() = default;

std::unique_ptr<TlsSession> TlsClientContext::connect(int fd, const std::string& server_name) const {
  return std::make_unique<TlsSession>(context_.get(), fd, server_name);
}

}  // namespace sse::net
