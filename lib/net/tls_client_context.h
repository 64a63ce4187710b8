#pragma once

#include <memory>
#include <string>

#include "net/tls_session.h"

namespace sse::net {

/// The TLS configuration of connections to another program: TLS 1.2 and 1.3; the certificate of the server is always
/// checked, and its name. Constant after construction, thread safe.
class TlsClientContext {
 public:
  struct Options {
    std::string ca_file{};           ///< PEM: trusts only these certificates; empty: those of the system
    std::string certificate_file{};  ///< PEM: the client certificate followed by those of its issuers; empty: none
    std::string key_file{};          ///< PEM, without a passphrase: the key of the client certificate
    std::string ca_option{}, certificate_option{}, key_option{};  ///< which name those files, for errors
  };
  /// Reads the files. Throws Error(kInvalidArgument) that names file and option when one cannot be used.
  explicit TlsClientContext(const Options& options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  /// A session for a socket that is connected to a server of that name: a host name, which is also sent (SNI, RFC 6066
  /// §3), or an IP address. `ticket`: of a session with the same server and name, or null. The session may outlive
  /// this. Throws Error(kInternal) when memory is short.
  std::unique_ptr<TlsSession> connect(int fd, const std::string& server_name, const TlsTicket& ticket = nullptr) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace sse::net
