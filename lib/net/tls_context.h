#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/tls_session.h"

namespace sse::net {

/// The TLS configuration of a listener, with its certificate and key: TLS 1.2 and 1.3, HTTP/1.1 by ALPN, no
/// renegotiation, no client certificates, session resumption by tickets only. Thread safe.
class TlsContext {
 public:
  /// Two PEM files: the server's certificate followed by those of its issuers, and its private key without a
  /// passphrase. Logs a warning when the certificate is not valid now or other users can read the key. Throws
  /// Error(kInvalidArgument) that names file and option when they are unreadable or do not match.
  TlsContext(std::string certificate_file, std::string key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads both files again, for connections accepted from now on. Throws as the constructor; the old files then stay
  /// in use.
  void reload() EXCLUDES(mutex_);
  /// A session for a connection just accepted. Throws Error(kInternal) when memory is short.
  std::unique_ptr<TlsSession> accept(int fd) const EXCLUDES(mutex_);
  /// The end of the certificate's validity.
  WallTime expires() const EXCLUDES(mutex_);

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  using Context = std::unique_ptr<ssl_ctx_st, Free>;

  Context load() const;

  const std::string certificate_file_;
  const std::string key_file_;
  mutable Mutex mutex_;
  Context context_ GUARDED_BY(mutex_);
};

}  // namespace sse::net
