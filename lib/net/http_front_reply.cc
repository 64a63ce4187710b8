// The part of HttpFront that gives out answers.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_date.h"
#include "net/http_front.h"
#include "net/http_front_connection.h"
#include "net/reason_phrase.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

constexpr std::chrono::milliseconds kWriteTimeout{30000};
// Most bytes of a file that leave before others have their turn.
constexpr std::size_t kMaxFileTurn = std::size_t{1024} * 1024;

}  // namespace

HttpFront::Responder::~Responder() {
  if (connection_ == nullptr) return;
  observe::guarded("the answer to a request",
                   [this] { answer(503, "text/plain; charset=utf-8", "this server is shutting down\n"); });
}

void HttpFront::Responder::answer(int status, std::string_view content_type, std::string_view body) {
  Connection& connection = *std::exchange(connection_, nullptr);
  const bool keep_alive = connection.head.keep_alive && !front_.draining_.load(std::memory_order_relaxed);
  std::string& out = connection.out;
  out = "HTTP/1.1 " + std::to_string(status) + ' ' + reason_phrase(status) + "\r\n";
  out += date_line(front_.loop_.clock().wall_now());
  if (!keep_alive) out += "Connection: close\r\n";
  if (status == 503) out += "Retry-After: 5\r\n";
  out.append("Content-Type: ").append(content_type).append("\r\nContent-Length: ");
  out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  connection.written = 0;
  front_.forget_body(connection);
  front_.finish(connection, keep_alive);
}

void HttpFront::finish(Connection& connection, bool keep_alive) {
  note_handled(connection);
  if (connection.from_proxy) connection.ticket.reset();
  send_on(connection, keep_alive);
}

void HttpFront::send_on(Connection& connection, bool keep_alive) {
  const Pushed pushed = push(connection);
  if (pushed == Pushed::kLost) {
    loop_.post([this, &connection] { destroy(connection); });
    return;
  }
  if (pushed == Pushed::kSome && connection.file.left > 0) {
    // The next turn begins when the socket has room; until then nobody waits for the client.
    connection.keep_after_write = keep_alive;
    connection.deadline.store(loop_.clock().steady_now() + kWriteTimeout, std::memory_order_relaxed);
    const int fd = connection.fd();
    connection.state.store(Connection::State::kWriting);
    loop_.modify(fd, EPOLLOUT | EPOLLONESHOT, &connection);
    return;
  }
  if (pushed == Pushed::kAll && keep_alive && connection.in.empty()) {
    // The common case ends here, without a trip through the loop.
    std::string().swap(connection.out);
    connection.file = {};
    connection.deadline.store(loop_.clock().steady_now() + options_.idle_timeout, std::memory_order_relaxed);
    const int fd = connection.fd();
    connection.state.store(Connection::State::kIdle);
    // drain() sets its flag, then looks at the states: one of us sees the other.
    if (draining_.load()) ::shutdown(fd, SHUT_RD);
    // Nothing may touch the connection from here on but the loop.
    loop_.modify(fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, &connection);
    return;
  }
  loop_.post([this, &connection, keep_alive] { send_out(connection, keep_alive); });
}

// Writes what the socket takes, of a file no more than is one's turn.
HttpFront::Pushed HttpFront::push(Connection& connection) {
  while (connection.written < connection.out.size()) {
    const ssize_t n = connection.socket.send(std::string_view(connection.out).substr(connection.written));
    if (n >= 0) {
      connection.written += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return errno == EAGAIN ? Pushed::kSome : Pushed::kLost;
    }
  }
  std::size_t turn = kMaxFileTurn;
  while (connection.file.left > 0) {
    if (turn == 0) return Pushed::kSome;
    const ssize_t n = connection.file.send_some(connection.socket, turn);
    if (n >= 0) {
      turn -= static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      // A file that has become shorter breaks the promise of its length: the client must see that.
      return errno == EAGAIN ? Pushed::kSome : Pushed::kLost;
    }
  }
  return Pushed::kAll;
}

void HttpFront::send_out(Connection& connection, bool keep_alive) {
  if (connection.file.left > 0) {
    // Reading the disk is for workers. Where they are too busy to take this on, it is no time to be particular.
    connection.state.store(Connection::State::kBusy, std::memory_order_relaxed);
    if (workers_.submit([this, &connection, keep_alive] { send_on(connection, keep_alive); })) return;
  }
  const Pushed pushed = push(connection);
  if (pushed == Pushed::kLost) {
    destroy(connection);
    return;
  }
  if (pushed == Pushed::kSome) {
    connection.keep_after_write = keep_alive;
    connection.state.store(Connection::State::kWriting, std::memory_order_relaxed);
    set_deadline(connection, kWriteTimeout);
    arm(connection, EPOLLOUT);
    return;
  }
  std::string().swap(connection.out);
  connection.file = {};
  after_reply(connection, keep_alive);
}

void HttpFront::after_reply(Connection& connection, bool keep_alive) {
  if (!keep_alive || draining_.load(std::memory_order_relaxed)) {
    linger(connection);
    return;
  }
  connection.state.store(Connection::State::kIdle, std::memory_order_relaxed);
  set_deadline(connection, options_.idle_timeout);
  advance(connection);
}

void HttpFront::linger(Connection& connection) {
  // Closing a socket with unread bytes sends RST, which can destroy the answer before the client has read it (RFC 9112
  // §9.6).
  if (connection.socket.tls) connection.socket.tls->end();
  ::shutdown(connection.fd(), SHUT_WR);
  connection.state.store(Connection::State::kLingering, std::memory_order_relaxed);
  std::string().swap(connection.in);
  set_deadline(connection, kLingerTime);
  arm(connection, EPOLLIN | EPOLLRDHUP);
}

}  // namespace sse::net
