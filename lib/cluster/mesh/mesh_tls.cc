#include "cluster/mesh/mesh_tls.h"

#include <openssl/ssl3.h>
#include <openssl/tls1.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::cluster {
namespace {

constexpr const char* kCa = "--cluster-ca";
constexpr const char* kCertificate = "--cluster-cert";
constexpr const char* kKey = "--cluster-key";
constexpr std::size_t kMaxShownProblem = 200;

std::shared_ptr<const MeshTls::ClientSide> client_side_of(const MeshTls::Options& options, std::uint64_t generation) {
  return std::shared_ptr<const MeshTls::ClientSide>(
      new MeshTls::ClientSide{net::TlsClientContext({.ca_file = options.ca_file,
                                                     .certificate_file = options.certificate_file,
                                                     .key_file = options.key_file,
                                                     .ca_option = kCa,
                                                     .certificate_option = kCertificate,
                                                     .key_option = kKey}),
                              generation});
}

// What is wrong with the certificate of the other node, as a predicate of it.
std::string complaint(long verify_error) {
  switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "has expired; renew it there, and send that node SIGHUP";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "is not valid yet; check the clocks of both machines";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return std::string("is of an authority that ") + kCa + " here does not list";
    default:
      return std::string("is not accepted: ") + X509_verify_cert_error_string(verify_error);
  }
}

// What another node says of the certificate of this one.
std::string objection(int alert, const std::string& problem) {
  switch (alert) {
    case TLS1_AD_UNKNOWN_CA:
      return std::string("is of an authority that ") + kCa + " of that node does not list";
    case SSL3_AD_CERTIFICATE_EXPIRED:
      return "has expired; renew it, and send this node SIGHUP";
    default:
      return "is not accepted there: " + printable(problem, kMaxShownProblem);
  }
}

std::string refusal_there(const net::TlsSession& session) {
  return "the certificate of " + std::string(kCertificate) + " here " + objection(session.alert(), session.problem());
}

}  // namespace

MeshTls::MeshTls(Options options)
    : options_(std::move(options)),
      server_(net::TlsContext::Options{.certificate_file = options_.certificate_file,
                                       .key_file = options_.key_file,
                                       .verify_clients = true,
                                       .client_ca_file = options_.ca_file,
                                       .certificate_option = kCertificate,
                                       .key_option = kKey,
                                       .ca_option = kCa}),
      client_(client_side_of(options_, 0)) {}

void MeshTls::check(const Options& options) {
  client_side_of(options, 0);
}

void MeshTls::reload() {
  auto fresh = client_side_of(options_, client_side()->generation + 1);
  server_.reload();
  const MutexLock lock(mutex_);
  client_ = std::move(fresh);
}

std::shared_ptr<const MeshTls::ClientSide> MeshTls::client_side() const {
  const MutexLock lock(mutex_);
  return client_;
}

void MeshTls::require_own_name(const std::string& host) const {
  const std::string& name = name_of(host);
  if (server_.names(name)) return;
  throw Error(ErrorCode::kInvalidArgument,
              "the certificate of " + std::string(kCertificate) + " does not name '" + printable(name, 80) +
                  "', where the other nodes reach this one, so they would refuse it; issue it for that name, or give "
                  "all nodes a name that it has with --cluster-tls-name");
}

std::string why_tls_failed(const net::TlsSession& session, const std::string& name) {
  using Fault = net::TlsSession::Fault;
  switch (session.fault()) {
    case Fault::kNotTls:
      return std::string("it does not use TLS, and this node does; start it with ") + kCertificate + " and " + kKey +
             ", too";
    case Fault::kUntrustedPeer: {
      const long error = session.verify_error();
      if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        return "its certificate does not name '" + printable(name, 80) +
               "'; issue it for that name, or give all nodes a name that it has with --cluster-tls-name";
      }
      return "its certificate " + complaint(error);
    }
    case Fault::kRefusedByPeer:
      return refusal_there(session);
    case Fault::kOther:
      break;
  }
  return "TLS: " + printable(session.problem(), kMaxShownProblem);
}

std::string why_peer_refused(const net::TlsSession& session) {
  using Fault = net::TlsSession::Fault;
  const long error = session.verify_error();
  if (session.fault() == Fault::kUntrustedPeer) {
    if (error != X509_V_OK) return "its certificate " + complaint(error);
    return std::string("it shows no certificate; give it ") + kCertificate + " and " + kKey;
  }
  if (session.fault() == Fault::kRefusedByPeer) return "it refuses this node: " + refusal_there(session);
  return "TLS: " + printable(session.problem(), kMaxShownProblem);
}

}  // namespace sse::cluster
