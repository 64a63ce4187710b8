#include "ssectl/conformance/raw_connection.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "net/tls_settings.h"
#include "ssectl/doctor/addresses.h"

namespace sse::ctl {

// A socket, or a TLS session on it.
class RawConnection::Channel {
 public:
  Channel(const api::Address& address, bool verify, std::chrono::milliseconds timeout) {
    std::string error;
    fd_ = connect_to(address, "", timeout, error);
    if (!fd_.valid()) throw Error(ErrorCode::kUnavailable, "cannot connect to " + address.host + ": " + error);
    if (address.tls) handshake(address, verify);
  }
  ~Channel() {
    if (session_ != nullptr) SSL_free(session_);
    if (context_ != nullptr) SSL_CTX_free(context_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // As send(2) and recv(2).
  ssize_t write(std::string_view bytes) {
    if (session_ == nullptr) return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return SSL_write(session_, bytes.data(), static_cast<int>(std::min(bytes.size(), std::size_t{1} << 20)));
  }
  ssize_t read(char* buffer, std::size_t size) {
    if (session_ == nullptr) return ::recv(fd_.get(), buffer, size, 0);
    return SSL_read(session_, buffer, static_cast<int>(size));
  }
  bool wait_readable(std::chrono::milliseconds timeout) {
    if (session_ != nullptr && SSL_pending(session_) > 0) return true;
    pollfd waiting{fd_.get(), POLLIN, 0};
    return poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

 private:
  void handshake(const api::Address& address, bool verify) {
    context_ = SSL_CTX_new(TLS_client_method());
    if (context_ != nullptr) {
      net::set_common_options(context_);
      SSL_CTX_set_default_verify_paths(context_);
      session_ = SSL_new(context_);
    }
    if (session_ == nullptr) throw Error(ErrorCode::kInternal, "OpenSSL cannot start" + net::openssl_reason());
    SSL_set_verify(session_, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    // An address is compared with the addresses of the certificate, and is no name for SNI (RFC 6066 3).
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_), address.host.c_str()) != 1) {
      SSL_set1_host(session_, address.host.c_str());
      SSL_set_tlsext_host_name(session_, address.host.c_str());
    }
    SSL_set_fd(session_, fd_.get());
    if (SSL_connect(session_) != 1) {
      throw Error(ErrorCode::kUnavailable, "no TLS handshake with " + address.host + net::openssl_reason() +
                                               "; --insecure ignores its certificate");
    }
  }

  UniqueFd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* session_ = nullptr;
};

RawConnection::RawConnection(const api::Address& address, bool verify, std::chrono::milliseconds timeout)
    : channel_(std::make_unique<Channel>(address, verify, timeout)) {}
RawConnection::~RawConnection() = default;

bool RawConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = channel_->write(bytes);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawConnection::read_until(std::string_view text, std::chrono::milliseconds timeout) {
  const SteadyTime deadline = steady_now() + timeout;
  char buffer[16384];
  while (received_.find(text) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_now());
    if (ended_ || left.count() <= 0 || !channel_->wait_readable(left)) return false;
    const ssize_t got = channel_->read(buffer, sizeof buffer);
    if (got <= 0) {
      ended_ = true;
    } else {
      received_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  return true;
}

int RawConnection::status() const {
  // HTTP/1.1 200 OK
  int status = 0;
  const std::size_t blank = received_.find(' ');
  if (!received_.starts_with("HTTP/") || blank == std::string::npos) return 0;
  std::from_chars(received_.data() + blank + 1, received_.data() + received_.size(), status);
  return status;
}

void RawConnection::reset() {
  channel_->reset();
}

}  // namespace sse::ctl
