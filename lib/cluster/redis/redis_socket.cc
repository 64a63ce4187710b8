#include "cluster/redis/redis_socket.h"

#include <system_error>

#include "net/tls_client_context.h"

namespace sse::cluster {
namespace {

net::TlsClientContext::Options options_of(const RedisTls& tls) {
  return {.ca_file = tls.ca_file,
          .certificate_file = tls.certificate_file,
          .key_file = tls.key_file,
          .ca_option = "--cluster-ca",
          .certificate_option = "--cluster-cert",
          .key_option = "--cluster-key"};
}

}  // namespace

void check(const RedisTls& tls) {
  const net::TlsClientContext context(options_of(tls));
}

// Files are read for each connection: a renewed certificate counts from the next one on.
void secure(net::Socket& socket, const RedisTls& tls, const std::string& host) {
  const net::TlsClientContext context(options_of(tls));
  socket.tls = context.connect(socket.fd.get(), tls.server_name.empty() ? host : tls.server_name);
}

std::string error_text(int error) {
  return std::generic_category().message(error);
}

std::string reason_of(const net::Socket& socket, int error) {
  if (socket.tls && !socket.tls->problem().empty()) return "TLS: " + socket.tls->problem();
  return error_text(error);
}

}  // namespace sse::cluster
