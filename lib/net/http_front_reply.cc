// The part of HttpFront that sends responses.
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
// Most bytes of a file sent at a time, before other requests have their turn.
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
  front_.release_body(connection);
  front_.finish(connection, keep_alive);
}

void HttpFront::finish(Connection& connection, bool keep_alive) {
  note_handled(connection);
  if (connection.from_proxy) connection.ticket.reset();
  continue_sending(connection, keep_alive);
}

void HttpFront::continue_sending(Connection& connection, bool keep_alive) {
  const WriteResult pushed = push(connection);
  if (pushed == WriteResult::kConnectionLost) {
    loop_.post([this, &connection] { destroy(connection); });
    return;
  }
  if (pushed == WriteResult::kSome && connection.file.left > 0) {
    // The next turn begins when the socket has room; until then no thread waits for the client.
    connection.keep_after_write = keep_alive;
    connection.deadline.store(loop_.clock().steady_now() + kWriteTimeout, std::memory_order_relaxed);
    const int fd = connection.fd();
    connection.state.store(Connection::State::kWriting);
    loop_.modify(fd, EPOLLOUT | EPOLLONESHOT, &connection);
    return;
  }
  if (pushed == WriteResult::kAll && keep_alive && connection.in.empty()) {
    // The common case ends here, without a detour through the loop.
    std::string().swap(connection.out);
    connection.file = {};
    connection.deadline.store(loop_.clock().steady_now() + options_.idle_timeout, std::memory_order_relaxed);
    const int fd = connection.fd();
    connection.state.store(Connection::State::kIdle);
    // drain() sets its flag, then checks the states: at least one of the two threads sees the other's change.
    if (draining_.load()) ::shutdown(fd, SHUT_RD);
    // From here on only the loop may touch the connection.
    loop_.modify(fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, &connection);
    return;
  }
  loop_.post([this, &connection, keep_alive] { send_out(connection, keep_alive); });
}

// Writes what the socket takes, at most kMaxFileTurn bytes of a file.
HttpFront::WriteResult HttpFront::push(Connection& connection) {
  while (connection.written < connection.out.size()) {
    const ssize_t n = connection.socket.send(std::string_view(connection.out).substr(connection.written));
    if (n >= 0) {
      connection.written += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return errno == EAGAIN ? WriteResult::kSome : WriteResult::kConnectionLost;
    }
  }
  std::size_t turn = kMaxFileTurn;
  while (connection.file.left > 0) {
    if (turn == 0) return WriteResult::kSome;
    const ssize_t n = connection.file.send_some(connection.socket, turn);
    if (n >= 0) {
      turn -= static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      // A file that has become shorter breaks the announced Content-Length: closing the connection shows that to the
      // client.
      return errno == EAGAIN ? WriteResult::kSome : WriteResult::kConnectionLost;
    }
  }
  return WriteResult::kAll;
}

void HttpFront::send_out(Connection& connection, bool keep_alive) {
  if (connection.file.left > 0) {
    // Workers read the disk. When they are too busy to take this task, the loop does it.
    connection.state.store(Connection::State::kBusy, std::memory_order_relaxed);
    if (workers_.submit([this, &connection, keep_alive] { continue_sending(connection, keep_alive); })) return;
  }
  const WriteResult pushed = push(connection);
  if (pushed == WriteResult::kConnectionLost) {
    destroy(connection);
    return;
  }
  if (pushed == WriteResult::kSome) {
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
  // Closing a socket with unread bytes sends RST, which can destroy the response before the client has read it
  // (RFC 9112 §9.6).
  if (connection.socket.tls) connection.socket.tls->end();
  ::shutdown(connection.fd(), SHUT_WR);
  connection.state.store(Connection::State::kLingering, std::memory_order_relaxed);
  std::string().swap(connection.in);
  set_deadline(connection, kLingerTime);
  arm(connection, EPOLLIN | EPOLLRDHUP);
}

}  // namespace sse::net
