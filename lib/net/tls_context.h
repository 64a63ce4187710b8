#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/tls_session.h"

namespace sse::net {

/// A certificate, its key and how TLS is spoken with them: 1.2 and 1.3, HTTP/1.1 by ALPN, no renegotiation, no client
/// certificates, sessions resumed by tickets only. Thread safe.
class TlsContext {
 public:
  /// Two PEM files: the server's certificate with those of its issuers after it, and its private key, without a
  /// passphrase. Warns in the log when the certificate is not valid now or others can read the key. Throws
  /// Error(kInvalidArgument) that names file and option when they are unreadable or do not belong together.
  TlsContext(std::string certificate_file, std::string key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads both files again, for connections accepted from now on. Throws as the constructor; what was, then stays.
  void reload() EXCLUDES(mutex_);
  /// For a connection just accepted. Throws Error(kInternal) when memory is short.
  std::unique_ptr<TlsSession> accept(int fd) const EXCLUDES(mutex_);
  /// When the certificate is valid no more.
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
