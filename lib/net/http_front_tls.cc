#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "net/http_front.h"
#include "net/http_front_connection.h"
#include "observe/log.h"

// The part of HttpFront that does TLS handshakes, before a connection's first request. A slow client costs a descriptor
// here and, after its first byte, OpenSSL's memory for a connection; never a thread.
namespace sse::net {
namespace {

// The record type of a handshake, RFC 8446 §5.1.
constexpr char kHandshakeRecord = 22;

}  // namespace

void HttpFront::do_handshake(Connection& connection) {
  if (!connection.socket.tls) {
    char first = 0;
    const ssize_t n = ::recv(connection.fd(), &first, 1, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      arm(connection, EPOLLIN | EPOLLRDHUP);
      return;
    }
    if (n <= 0) {
      destroy(connection);
      return;
    }
    if (first != kHandshakeRecord) {
      handshakes_failed_->add();
      if (first >= 'A' && first <= 'Z') {
        refuse(connection, 400, "this port requires TLS; use https:// instead of http://");
      } else {
        destroy(connection);
      }
      return;
    }
    try {
      connection.socket.tls = options_.tls->accept(connection.fd());
    } catch (const Error& e) {
      observe::log_error("connection refused", {{"listener", options_.name}, {"error", e.what()}});
      destroy(connection);
      return;
    }
  }
  switch (connection.socket.tls->handshake()) {
    case TlsSession::Step::kWantsRead:
      arm(connection, EPOLLIN | EPOLLRDHUP);
      return;
    case TlsSession::Step::kWantsWrite:
      arm(connection, EPOLLOUT);
      return;
    case TlsSession::Step::kDone:
      end_handshake(connection);
      return;
    case TlsSession::Step::kFailed:
      handshakes_failed_->add();
      observe::log_debug("TLS handshake failed", {{"listener", options_.name},
                                                  {"address", connection.peer.address},
                                                  {"error", connection.socket.tls->problem()}});
      // OpenSSL has sent an alert with the reason; the client should be able to read it before the socket is closed.
      connection.socket.tls.reset();
      linger(connection);
      return;
  }
}

void HttpFront::end_handshake(Connection& connection) {
  handshakes_done_->add();
  if (connection.refusal != nullptr) {
    refuse(connection, connection.refusal_status, connection.refusal);
    return;
  }
  connection.state.store(Connection::State::kIdle, std::memory_order_relaxed);
  set_deadline(connection, options_.idle_timeout);
  arm(connection, EPOLLIN | EPOLLRDHUP);
}

void HttpFront::on_handshake_timeout(Connection& connection) {
  int unread = 0;
  if (connection.admitted && ::ioctl(connection.fd(), FIONREAD, &unread) == 0 && unread > 0) {
    // The delay is ours: thousands of clients may reconnect at the same time.
    set_deadline(connection, options_.handshake_timeout / 4);
    return;
  }
  handshakes_timed_out_->add();
  timeouts_.add();
  destroy(connection);
}

}  // namespace sse::net
