#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "net/http_front.h"
#include "net/http_front_connection.h"
#include "observe/log.h"

// What the front does before a connection's first request where TLS is spoken. A client that dawdles here costs a
// descriptor, and once its first byte has come, OpenSSL's memory for a connection; never a thread.
namespace sse::net {
namespace {

// The type of a record that begins a handshake, RFC 8446 §5.1.
constexpr char kHandshakeRecord = 22;

}  // namespace

void HttpFront::shake_hands(Connection& connection) {
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
        refuse(connection, 400, "this port speaks TLS; write https:// where there is http:// now");
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
      // OpenSSL has said why, which the client is to read before the socket is gone.
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

void HttpFront::give_up_handshake(Connection& connection) {
  int unread = 0;
  if (connection.admitted && ::ioctl(connection.fd(), FIONREAD, &unread) == 0 && unread > 0) {
    // It is us who are late: thousands may come back at the same time.
    set_deadline(connection, options_.handshake_timeout / 4);
    return;
  }
  handshakes_late_->add();
  timeouts_.add();
  destroy(connection);
}

}  // namespace sse::net
