#include "ssectl/conformance/raw_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "ssectl/doctor/addresses.h"
#include "ssectl/doctor/tls_client.h"

namespace sse::ctl {

// A socket, or a TLS session on it.
class RawConnection::Channel {
 public:
  Channel(const api::Address& address, bool verify, std::chrono::milliseconds timeout) {
    std::string error;
    fd_ = connect_to(address, "", timeout, error);
    if (!fd_.valid()) throw Error(ErrorCode::kUnavailable, "cannot connect to " + address.host + ": " + error);
    if (!address.tls) return;
    tls_.emplace(fd_.get(), address.host);
    if (verify && !tls_->distrust().empty()) {
      throw Error(ErrorCode::kUnavailable, "the certificate of " + address.host +
                                               " is not trusted: " + tls_->distrust() + "; --insecure accepts it");
    }
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // As send(2) and recv(2).
  ssize_t write(std::string_view bytes) {
    if (!tls_) return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return SSL_write(tls_->session(), bytes.data(), static_cast<int>(std::min(bytes.size(), std::size_t{1} << 20)));
  }
  ssize_t read(char* buffer, std::size_t size) {
    if (!tls_) return ::recv(fd_.get(), buffer, size, 0);
    return SSL_read(tls_->session(), buffer, static_cast<int>(size));
  }
  bool wait_readable(std::chrono::milliseconds timeout) {
    if (tls_ && SSL_pending(tls_->session()) > 0) return true;
    pollfd waiting{fd_.get(), POLLIN, 0};
    return poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

 private:
  UniqueFd fd_;
  std::optional<TlsClient> tls_;
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
