// The TLS handshake of an HttpConnection, before its first request. A slow client costs a descriptor here and, after
// its first byte, OpenSSL's memory for a connection; never a thread.
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "net/http_connection.h"
#include "observe/log.h"

namespace sse::net {
namespace {

// The record type of a handshake, RFC 8446 §5.1.
constexpr char kHandshakeRecord = 22;
// A refused connection whose client does not end its handshake.
constexpr std::chrono::milliseconds kRefusedHandshakeTimeout{2000};

}  // namespace

void HttpConnection::begin_handshake() {
  const auto timeout = shared_.options.handshake_timeout;
  set_state(State::kHandshake);
  set_deadline(place_.refusal == nullptr ? timeout : std::min(timeout, kRefusedHandshakeTimeout));
}

void HttpConnection::do_handshake() {
  shared_.loop.assert_in_loop_thread();
  if (!socket_.tls && !begin_tls()) return;
  switch (socket_.tls->handshake()) {
    case TlsSession::Step::kWantsRead:
      arm(EPOLLIN | EPOLLRDHUP);
      return;
    case TlsSession::Step::kWantsWrite:
      arm(EPOLLOUT);
      return;
    case TlsSession::Step::kDone:
      end_handshake();
      return;
    case TlsSession::Step::kFailed:
      fail_handshake();
      return;
  }
}

// False when nothing has arrived yet, or when the connection has been refused or closed.
bool HttpConnection::begin_tls() {
  char first = 0;
  const ssize_t n = ::recv(fd(), &first, 1, MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    arm(EPOLLIN | EPOLLRDHUP);
    return false;
  }
  if (n <= 0) {
    close();
    return false;
  }
  if (first != kHandshakeRecord) {
    shared_.metrics.handshakes_failed->add();
    if (first >= 'A' && first <= 'Z') {
      refuse(400, shared_.options.clear_text_refusal);
    } else {
      close();
    }
    return false;
  }
  try {
    socket_.tls = shared_.options.tls->accept(fd());
  } catch (const Error& e) {
    observe::log_error("connection refused", {{"listener", shared_.options.name}, {"error", e.what()}});
    close();
    return false;
  }
  return true;
}

void HttpConnection::end_handshake() {
  shared_.metrics.handshakes_done->add();
  if (place_.refusal != nullptr) {
    refuse(place_.refusal->status, place_.refusal->sentence);
    return;
  }
  set_state(State::kIdle);
  set_deadline(shared_.options.idle_timeout);
  arm(EPOLLIN | EPOLLRDHUP);
}

void HttpConnection::fail_handshake() {
  shared_.metrics.handshakes_failed->add();
  observe::log_debug(
      "TLS handshake failed",
      {{"listener", shared_.options.name}, {"address", peer_.address}, {"error", socket_.tls->problem()}});
  if (shared_.options.on_failed_handshake) shared_.options.on_failed_handshake(peer_, *socket_.tls);
  // OpenSSL has sent an alert with the reason; the client should be able to read it before the socket is closed.
  socket_.tls.reset();
  linger();
}

void HttpConnection::on_handshake_timeout() {
  int unread = 0;
  if (place_.refusal == nullptr && ::ioctl(fd(), FIONREAD, &unread) == 0 && unread > 0) {
    // The delay is ours: thousands of clients may reconnect at the same time.
    set_deadline(shared_.options.handshake_timeout / 4);
    return;
  }
  shared_.metrics.handshakes_timed_out->add();
  shared_.metrics.timeouts.add();
  close();
}

}  // namespace sse::net
