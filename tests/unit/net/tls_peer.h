#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "unit/net/loopback.h"

namespace sse::testing {

/// A fresh self-signed certificate for 127.0.0.1 and its key, as files.
class Certificate {
 public:
  /// `serial`: tells them apart. `passphrase`: the key is encrypted with it.
  Certificate(const TempFolder& folder, const std::string& name, int serial = 1, const std::string& passphrase = "")
      : file(folder.file(name + ".pem")), key(folder.file(name + ".key")) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1,DNS:localhost -set_serial " +
        std::to_string(serial) + (passphrase.empty() ? " -nodes" : " -passout pass:" + passphrase) + " -keyout " + key +
        " -out " + file + " 2>/dev/null && chmod 600 " + key;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req failed");
  }

  std::string file;
  std::string key;
};

/// The client's side of TLS on a blocking socket; believes any certificate.
class TlsClient {
 public:
  /// `max_version`, `protocols`: highest version, and what ALPN offers, in its own form; 0 and "" for OpenSSL's
  /// defaults.
  explicit TlsClient(Client client, int max_version = 0, const std::string& protocols = "")
      : client_(std::move(client)) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (max_version != 0) SSL_CTX_set_max_proto_version(context_.get(), max_version);
    SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    ssl_.reset(SSL_new(context_.get()));
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned int>(protocols.size()));
    }
    const timeval timeout{kSocketTimeout.count(), 0};
    setsockopt(client_.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    SSL_set_fd(ssl_.get(), client_.fd());
    SSL_set_connect_state(ssl_.get());
  }

  bool handshake() { return SSL_do_handshake(ssl_.get()) == 1; }
  bool send(std::string_view bytes) {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  /// One SSL_read(); false at the end.
  bool receive_some() {
    std::array<char, 64 * 1024> buffer;
    const int n = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0;
  }
  bool receive_until(std::string_view text) {
    while (received_.find(text) == std::string::npos) {
      if (!receive_some()) return false;
    }
    return true;
  }
  bool receive_bytes(std::size_t count) {
    while (received_.size() < count) {
      if (!receive_some()) return false;
    }
    return true;
  }
  /// To the end; true when the server said that it is one (close_notify).
  bool receive_all() {
    while (receive_some()) {
    }
    return was_told_of_end();
  }
  bool was_told_of_end() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  /// The next response, by its Content-Length; empty when the connection ended first.
  std::string response() {
    if (!receive_until("\r\n\r\n")) return {};
    const std::size_t head = received_.find("\r\n\r\n") + 4;
    Response parsed;
    parsed.head = received_.substr(0, head);
    const std::size_t size = head + static_cast<std::size_t>(std::atoll(parsed.header("Content-Length").c_str()));
    if (!receive_bytes(size)) return {};
    return std::exchange(received_, received_.substr(size)).substr(0, size);
  }
  /// close_notify.
  void finish() { SSL_shutdown(ssl_.get()); }

  const std::string& received() const { return received_; }
  Client& client() { return client_; }
  SSL* ssl() { return ssl_.get(); }
  /// Of the server's certificate; -1 when there is none.
  long serial() const {
    const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
    return certificate ? ASN1_INTEGER_get(X509_get0_serialNumber(certificate.get())) : -1;
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  Client client_;
  std::string received_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace sse::testing
