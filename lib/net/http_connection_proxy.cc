// The PROXY protocol header of an HttpConnection whose peer is a proxy, before TLS and before its first request.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "net/http_connection.h"
#include "net/proxy_header.h"
#include "observe/log.h"

namespace sse::net {

// Takes the header's bytes out of the socket and not one more: what follows may be the start of TLS, which OpenSSL
// reads by itself.
void HttpConnection::read_proxy_header() {
  shared_.loop.assert_in_loop_thread();
  std::array<char, ProxyHeader::kMaxSize> next{};
  const ssize_t n = ::recv(fd(), next.data(), next.size() - in_.size(), MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    arm(EPOLLIN | EPOLLRDHUP);
    return;
  }
  if (n <= 0) {
    close();
    return;
  }
  const std::size_t before = in_.size();
  in_.append(next.data(), static_cast<std::size_t>(n));
  const ProxyHeader header = net::read_proxy_header(in_);
  if (header.status == ProxyHeader::Status::kMalformed) {
    refuse_proxy_header(header.reason);
    return;
  }
  const bool complete = header.status == ProxyHeader::Status::kComplete;
  const std::size_t taken = (complete ? header.size : in_.size()) - before;
  // They have just been seen there.
  [[maybe_unused]] const ssize_t read = ::recv(fd(), next.data(), taken, 0);
  if (complete) {
    in_.clear();
    on_proxy_header(header.client);
  } else {
    arm(EPOLLIN | EPOLLRDHUP);
  }
}

void HttpConnection::on_proxy_header(const std::optional<Peer>& client) {
  if (client) {
    peer_ = *client;
    if (!shared_.limits.readmit(peer_.address, place_)) {
      close();
      return;
    }
  }
  if (tls_) {
    begin_handshake();
  } else if (place_.refusal != nullptr) {
    refuse(place_.refusal->status, place_.refusal->sentence);
    return;
  } else {
    set_state(State::kIdle);
    set_deadline(shared_.options.idle_timeout);
  }
  arm(EPOLLIN | EPOLLRDHUP);
}

void HttpConnection::refuse_proxy_header(const std::string& reason) {
  shared_.metrics.bad_requests.add();
  observe::log_debug("connection refused for its PROXY protocol header",
                     {{"listener", shared_.options.name}, {"address", peer_.address}, {"reason", reason}});
  const std::string sentence =
      "with --proxy-protocol, a connection from a --trusted-proxy begins with a PROXY protocol header: " + reason;
  // A TLS client could not read plain text.
  if (tls_) {
    close();
  } else {
    refuse(400, sentence);
  }
}

}  // namespace sse::net
