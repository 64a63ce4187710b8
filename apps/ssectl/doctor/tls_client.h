#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace sse::ctl {

/// The client's side of TLS on a blocking socket, which it does not own. It goes on with a certificate that is not
/// trusted, and says so. One thread.
class TlsClient {
 public:
  /// Does the handshake, with the certificates of the system ($SSL_CERT_FILE) as trusted ones. `protocols`: offered by
  /// ALPN (RFC 7301), each with its length before it; empty: none. Throws Error(kUnavailable) when there is no
  /// handshake.
  TlsClient(int fd, const std::string& host, std::string_view protocols = {});

  SSL* session() const { return session_.get(); }
  /// Why the certificate is not trusted or is another host's; empty: it is fine.
  std::string distrust() const;

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* session) const { SSL_free(session); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> session_;
};

}  // namespace sse::ctl
