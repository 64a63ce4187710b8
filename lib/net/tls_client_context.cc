#include "net/tls_client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "base/text.h"
#include "net/tls_settings.h"

namespace sse::net {
namespace {

[[noreturn]] void refuse_file(const std::string& file, const std::string& option, const std::string& what) {
  const std::string why = openssl_reason();
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
  set_common_options(ctx);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  if (!trust(ctx, options.ca_file))
    refuse_file(options.ca_file, options.ca_option, "holds no certificates in PEM form");
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

std::unique_ptr<TlsSession> TlsClientContext::connect(int fd, const std::string& server_name,
                                                      const TlsTicket& ticket) const {
  return std::make_unique<TlsSession>(context_.get(), fd, server_name, ticket);
}

}  // namespace sse::net
