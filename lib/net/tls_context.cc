#include "net/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "net/tls_settings.h"
#include "observe/log.h"

namespace sse::net {
namespace {

constexpr std::string_view kProtocol = "\x08http/1.1";
constexpr std::array<unsigned char, 3> kClientsContext{'s', 's', 'e'};
// How long a session may be resumed without another look at the client's certificate.
constexpr std::chrono::seconds kVerifiedFor{600};

std::string quoted(const std::string& file) {
  return "'" + printable(file, 200) + "'";
}

[[noreturn]] void refuse(const std::string& sentence) {
  ERR_clear_error();
  throw Error(ErrorCode::kInvalidArgument, sentence);
}

// OpenSSL's own messages name neither the file nor the reason.
void require_readable(const std::string& file, const std::string& option) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  int reason = 0;
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    reason = errno;
  } else if (S_ISDIR(status.st_mode)) {
    reason = EISDIR;
  }
  if (reason != 0)
    refuse("cannot read " + quoted(file) + " of " + option + ": " + std::generic_category().message(reason));
}

int select_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned int in_size, void* /*unused*/) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(kProtocol.data()),
                                          static_cast<unsigned int>(kProtocol.size()), in, in_size);
  *out = chosen;
  // RFC 7301 §3.2: a client that supports none of our protocols gets an alert.
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

WallTime expiry_of(const X509* certificate) {
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return {};
  return WallTime(std::chrono::seconds(timegm(&when)));
}

void warn_of_times(const X509* certificate, const std::string& file, const std::string& option) {
  const bool early = X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0;
  const bool late = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
  if (early || late) {
    observe::log_warn(late ? "the certificate has expired; clients will refuse it"
                           : "the certificate is not valid yet; clients will refuse it",
                      {{"file", file}, {"option", option}});
  }
}

void warn_if_open(const std::string& file, const std::string& option) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
    observe::log_warn("a file with a secret can be read by others; chmod 600 it", {{"file", file}, {"option", option}});
  }
}

void require_certificate_of_client(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // Public authorities issue certificates for servers alone, RFC 5280 §4.2.1.12.
  X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
  // Without it OpenSSL refuses to resume a session of a client that was verified.
  SSL_CTX_set_session_id_context(context, kClientsContext.data(), kClientsContext.size());
  SSL_CTX_set_timeout(context, kVerifiedFor.count());
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

TlsContext::TlsContext(std::string certificate_file, std::string key_file)
    : TlsContext(Options{.certificate_file = std::move(certificate_file), .key_file = std::move(key_file)}) {}

TlsContext::TlsContext(Options options) : options_(std::move(options)) {
  reload();
}

TlsContext::~TlsContext() = default;

TlsContext::Context TlsContext::load() const {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* ctx = context.get();
  if (ctx == nullptr) throw Error(ErrorCode::kInternal, "OpenSSL cannot be set up" + openssl_reason());
  set_common_options(ctx);
  SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");  // for TLS 1.2; all suites of 1.3 are good
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(ctx, &select_protocol, nullptr);

  const auto& [certificate_file, key_file, verify_clients, ca_file, certificate_option, key_option, ca_option] =
      options_;
  require_readable(certificate_file, certificate_option);
  require_readable(key_file, key_option);
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate_file.c_str()) != 1) {
    refuse(quoted(certificate_file) + " of " + certificate_option + " holds no usable certificate in PEM form" +
           openssl_reason());
  }
  const X509* certificate = SSL_CTX_get0_certificate(ctx);
  const std::string other_key = "the key in " + quoted(key_file) + " of " + key_option +
                                " does not belong to the certificate in " + quoted(certificate_file) + " of " +
                                certificate_option;
  // Loaded before it is compared with the certificate, so that the two errors can be told apart.
  if (SSL_CTX_use_PrivateKey_file(ctx, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) refuse(other_key);
    refuse(quoted(key_file) + " of " + key_option +
           " holds no usable private key in PEM form; one with a passphrase cannot be used" + openssl_reason());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) refuse(other_key);
  if (verify_clients) {
    if (!ca_file.empty()) require_readable(ca_file, ca_option);
    if (!trust(ctx, ca_file))
      refuse(quoted(ca_file) + " of " + ca_option + " holds no certificates in PEM form" + openssl_reason());
    require_certificate_of_client(ctx);
  }
  warn_of_times(certificate, certificate_file, certificate_option);
  warn_if_open(key_file, key_option);
  return context;
}

void TlsContext::reload() {
  Context fresh = load();
  const MutexLock lock(mutex_);
  context_.swap(fresh);
}

std::unique_ptr<TlsSession> TlsContext::accept(int fd) const {
  const MutexLock lock(mutex_);
  return std::make_unique<TlsSession>(context_.get(), fd);
}

WallTime TlsContext::expires() const {
  const MutexLock lock(mutex_);
  return expiry_of(SSL_CTX_get0_certificate(context_.get()));
}

bool TlsContext::names(const std::string& host) const {
  const MutexLock lock(mutex_);
  X509* certificate = SSL_CTX_get0_certificate(context_.get());
  const bool named = X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ||
                     X509_check_host(certificate, host.c_str(), host.size(), 0, nullptr) == 1;
  ERR_clear_error();
  return named;
}

}  // namespace sse::net
