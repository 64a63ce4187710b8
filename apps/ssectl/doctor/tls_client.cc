#include "ssectl/doctor/tls_client.h"

#include "base/error.h"
#include "base/text.h"
#include "net/tls_settings.h"

namespace sse::ctl {

TlsClient::TlsClient(int fd, const std::string& host, std::string_view protocols)
    : context_(SSL_CTX_new(TLS_client_method())) {
  if (context_) {
    net::set_common_options(context_.get());
    SSL_CTX_set_default_verify_paths(context_.get());
    session_.reset(SSL_new(context_.get()));
  }
  if (!session_) throw Error(ErrorCode::kInternal, "OpenSSL cannot start" + net::openssl_reason());
  // The certificate is looked at afterwards, so that a handshake tells what is wrong with it.
  SSL_set_verify(session_.get(), SSL_VERIFY_NONE, nullptr);
  const bool prepared = (protocols.empty() ||
                         SSL_set_alpn_protos(session_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                                             static_cast<unsigned>(protocols.size())) == 0) &&
                        net::expect_server(session_.get(), host) && SSL_set_fd(session_.get(), fd) == 1;
  if (prepared && SSL_connect(session_.get()) == 1) return;
  const std::string reason = net::openssl_reason();
  throw Error(ErrorCode::kUnavailable, "the TLS handshake with " + printable(host, 100) + " failed" +
                                           (reason.empty() ? ": no answer, or the connection was closed" : reason));
}

std::string TlsClient::distrust() const {
  const long result = SSL_get_verify_result(session_.get());
  return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

}  // namespace sse::ctl
