#include "ssectl/doctor/tls_probe.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <utility>

#include "base/fd.h"
#include "net/tls_settings.h"
#include "ssectl/doctor/addresses.h"

namespace sse::ctl {
namespace {

struct Deleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};

std::string subject_of(const X509* certificate) {
  char line[256] = "";
  X509_NAME_oneline(X509_get_subject_name(certificate), line, sizeof line);
  return line;
}

std::optional<WallTime> end_of(const X509* certificate) {
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&end)));
}

}  // namespace

TlsFacts probe_tls(const api::Address& address, const std::string& local_address, std::chrono::milliseconds timeout) {
  TlsFacts facts;
  const UniqueFd socket = connect_to(address, local_address, timeout, facts.error);
  if (!socket.valid()) return facts;
  const std::unique_ptr<SSL_CTX, Deleter> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) {
    facts.error = "OpenSSL cannot start" + net::openssl_reason();
    return facts;
  }
  net::set_common_options(context.get());
  SSL_CTX_set_default_verify_paths(context.get());
  const std::unique_ptr<SSL, Deleter> session(SSL_new(context.get()));
  constexpr unsigned char kOffered[] = "\x02h2\x08http/1.1";
  // The certificate is looked at afterwards, so that a handshake tells what is wrong with it.
  SSL_set_verify(session.get(), SSL_VERIFY_NONE, nullptr);
  in6_addr literal{};
  const bool is_address = inet_pton(AF_INET, address.host.c_str(), &literal) == 1 ||
                          inet_pton(AF_INET6, address.host.c_str(), &literal) == 1;
  X509_VERIFY_PARAM* const expected = SSL_get0_param(session.get());
  const bool prepared = SSL_set_alpn_protos(session.get(), kOffered, sizeof kOffered - 1) == 0 &&
                        (is_address ? X509_VERIFY_PARAM_set1_ip_asc(expected, address.host.c_str())
                                    : SSL_set1_host(session.get(), address.host.c_str())) == 1 &&
                        (is_address || SSL_set_tlsext_host_name(session.get(), address.host.c_str()) == 1) &&
                        SSL_set_fd(session.get(), socket.get()) == 1;
  if (!prepared || SSL_connect(session.get()) != 1) {
    const std::string reason = net::openssl_reason();
    facts.error = "the TLS handshake failed" + (reason.empty() ? ": no answer, or the connection was closed" : reason);
    return facts;
  }
  facts.protocol = SSL_get_version(session.get());
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(session.get(), &chosen, &length);
  if (chosen != nullptr) facts.alpn.assign(chosen, chosen + length);
  if (const long result = SSL_get_verify_result(session.get()); result != X509_V_OK)
    facts.distrust = X509_verify_cert_error_string(result);
  if (const X509* const certificate = SSL_get0_peer_certificate(session.get()); certificate != nullptr) {
    facts.subject = subject_of(certificate);
    facts.not_after = end_of(certificate);
  }
  SSL_shutdown(session.get());
  return facts;
}

}  // namespace sse::ctl
