#include "ssectl/doctor/tls_probe.h"

#include <openssl/ssl.h>

#include <ctime>

#include "base/error.h"
#include "base/fd.h"
#include "ssectl/doctor/addresses.h"
#include "ssectl/doctor/tls_client.h"

namespace sse::ctl {
namespace {

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
  std::optional<TlsClient> client;
  try {
    client.emplace(socket.get(), address.host, "\x02h2\x08http/1.1");
  } catch (const Error& e) {
    facts.error = e.what();
    return facts;
  }
  SSL* const session = client->session();
  facts.protocol = SSL_get_version(session);
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(session, &chosen, &length);
  if (chosen != nullptr) facts.alpn.assign(chosen, chosen + length);
  facts.distrust = client->distrust();
  if (const X509* const certificate = SSL_get0_peer_certificate(session); certificate != nullptr) {
    facts.subject = subject_of(certificate);
    facts.not_after = end_of(certificate);
  }
  SSL_shutdown(session);
  return facts;
}

}  // namespace sse::ctl
