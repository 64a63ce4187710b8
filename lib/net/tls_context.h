#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/tls_session.h"

namespace sse::net {

/// The TLS configuration of a listener, with its certificate and key: TLS 1.2 and 1.3, HTTP/1.1 by ALPN, no
/// renegotiation, session resumption by tickets only. Thread safe.
class TlsContext {
 public:
  struct Options {
    std::string certificate_file, key_file;  ///< as of the other constructor
    bool verify_clients = false;   ///< a client must show a certificate; that of a server will do, since nodes are both
    std::string client_ca_file{};  ///< PEM: of whom the certificates of clients may be; empty: those of the system
    std::string certificate_option = "--tls-cert", key_option = "--tls-key", ca_option{};  ///< for errors
  };
  /// Two PEM files: the server's certificate followed by those of its issuers, and its private key without a
  /// passphrase. Logs a warning when the certificate is not valid now or other users can read the key. Throws
  /// Error(kInvalidArgument) that names file and option when they are unreadable or do not match.
  TlsContext(std::string certificate_file, std::string key_file);
  /// Likewise; reads `client_ca_file`, too.
  explicit TlsContext(Options options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads the files again, for connections accepted from now on. Throws as the constructor; the old files then stay
  /// in use.
  void reload() EXCLUDES(mutex_);
  /// A session for a connection just accepted. Throws Error(kInternal) when memory is short.
  std::unique_ptr<TlsSession> accept(int fd) const EXCLUDES(mutex_);
  /// The end of the certificate's validity.
  WallTime expires() const EXCLUDES(mutex_);
  /// Whether the certificate names that host or IP address.
  bool names(const std::string& host) const EXCLUDES(mutex_);

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  using Context = std::unique_ptr<ssl_ctx_st, Free>;

  Context load() const;

  const Options options_;
  mutable Mutex mutex_;
  Context context_ GUARDED_BY(mutex_);
};

}  // namespace sse::net
