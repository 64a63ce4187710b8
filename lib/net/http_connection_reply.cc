// HttpConnection from a handled request until its response has been sent, and the connection is idle again or closed.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_connection.h"
#include "net/http_date.h"
#include "net/reason_phrase.h"
#include "net/refusal.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

constexpr std::chrono::milliseconds kWriteTimeout{30000};
// How long a connection is read and discarded after its last response.
constexpr std::chrono::milliseconds kLingerTime{2000};
// Most bytes of a file sent at a time, before other requests have their turn.
constexpr std::size_t kMaxFileTurn = std::size_t{1024} * 1024;

}  // namespace

Responder::~Responder() {
  if (connection_ == nullptr) return;
  observe::guarded("the answer to a request",
                   [this] { answer(503, "text/plain; charset=utf-8", "this server is shutting down\n"); });
}

void Responder::answer(int status, std::string_view content_type, std::string_view body) {
  std::exchange(connection_, nullptr)->answer(status, content_type, body);
}

void HttpConnection::answer(int status, std::string_view content_type, std::string_view body) {
  const bool keep_alive = head_.keep_alive && !draining();
  shared_.metrics.count_response(status);
  out_ = "HTTP/1.1 " + std::to_string(status) + ' ' + reason_phrase(status) + "\r\n";
  out_ += date_line(shared_.loop.clock().wall_now());
  if (!keep_alive) out_ += "Connection: close\r\n";
  if (status == 503) out_ += "Retry-After: 5\r\n";
  out_.append("Content-Type: ").append(content_type).append("\r\nContent-Length: ");
  out_.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  written_ = 0;
  release_request();
  finish(keep_alive);
}

void HttpConnection::answer_refusal(int status, const std::string& sentence) {
  out_ = refusal(status, sentence, &head_);
  written_ = 0;
  release_request();
  finish(false);
}

// The response is ready.
void HttpConnection::finish(bool keep_alive) {
  note_handled();
  if (place_.from_proxy) place_.ticket.reset();
  send_reply(keep_alive);
}

void HttpConnection::note_handled() const {
  const auto handling = shared_.loop.clock().steady_now() - submitted_;
  shared_.metrics.request_seconds.observe(std::chrono::duration<double>(handling).count());
}

// The common case ends here, without a detour through the loop.
void HttpConnection::send_reply(bool keep_alive) {
  const Sent sent = send_some();
  if (sent == Sent::kConnectionLost) {
    shared_.loop.post([this] { close(); });
  } else if (sent == Sent::kSome && file_.left > 0) {
    // The next turn begins when the socket has room; until then no thread waits for the client.
    keep_after_write_ = keep_alive;
    give_back(State::kWriting, kWriteTimeout, EPOLLOUT);
  } else if (sent == Sent::kAll && keep_alive && in_.empty()) {
    std::string().swap(out_);
    file_ = {};
    give_back(State::kIdle, shared_.options.idle_timeout, EPOLLIN | EPOLLRDHUP);
  } else {
    shared_.loop.post([this, keep_alive] { send_on_loop(keep_alive); });
  }
}

// From here on only the loop may touch the connection.
void HttpConnection::give_back(State state, std::chrono::milliseconds timeout, std::uint32_t events) {
  const auto& shared = shared_;
  const int descriptor = fd();
  deadline_.store(shared.loop.clock().steady_now() + timeout, std::memory_order_relaxed);
  state_.store(state);
  // The front sets its flag, then drain() checks the state: at least one of the two threads sees the other's change.
  if (state == State::kIdle && shared.draining.load()) ::shutdown(descriptor, SHUT_RD);
  shared.loop.modify(descriptor, events | EPOLLONESHOT, this);
}

// Writes what the socket takes, at most kMaxFileTurn bytes of a file.
HttpConnection::Sent HttpConnection::send_some() {
  while (written_ < out_.size()) {
    const ssize_t n = socket_.send(std::string_view(out_).substr(written_));
    if (n >= 0) {
      written_ += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return errno == EAGAIN ? Sent::kSome : Sent::kConnectionLost;
    }
  }
  std::size_t turn = kMaxFileTurn;
  while (file_.left > 0) {
    if (turn == 0) return Sent::kSome;
    const ssize_t n = file_.send_some(socket_, turn);
    if (n >= 0) {
      turn -= static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      // A file that has become shorter breaks the announced Content-Length: closing the connection shows that to the
      // client.
      return errno == EAGAIN ? Sent::kSome : Sent::kConnectionLost;
    }
  }
  return Sent::kAll;
}

void HttpConnection::send_on_loop(bool keep_alive) {
  shared_.loop.assert_in_loop_thread();
  if (file_.left > 0) {
    // Workers read the disk. When they are too busy to take this task, the loop does it.
    set_state(State::kHandling);
    if (shared_.workers.submit([this, keep_alive] { send_reply(keep_alive); })) return;
  }
  switch (send_some()) {
    case Sent::kConnectionLost:
      close();
      return;
    case Sent::kSome:
      keep_after_write_ = keep_alive;
      set_state(State::kWriting);
      set_deadline(kWriteTimeout);
      arm(EPOLLOUT);
      return;
    case Sent::kAll:
      end_reply(keep_alive);
      return;
  }
}

void HttpConnection::end_reply(bool keep_alive) {
  std::string().swap(out_);
  file_ = {};
  if (!keep_alive || draining()) {
    linger();
    return;
  }
  set_state(State::kIdle);
  set_deadline(shared_.options.idle_timeout);
  advance();
}

// Closing a socket with unread bytes sends RST, which can destroy the response before the client has read it (RFC 9112
// §9.6).
void HttpConnection::linger() {
  if (socket_.tls) socket_.tls->end();
  ::shutdown(fd(), SHUT_WR);
  set_state(State::kLingering);
  std::string().swap(in_);
  set_deadline(kLingerTime);
  arm(EPOLLIN | EPOLLRDHUP);
}

void HttpConnection::close() {
  shared_.loop.assert_in_loop_thread();
  if (socket_.tls && state() == State::kIdle) socket_.tls->end();
  release_request();
  shared_.owner.closed(*this);
}

void HttpConnection::release_request() {
  body_.release();
  admission_.reset();
}

void HttpConnection::refuse(int status, const std::string& sentence, const RequestHead* head,
                            const std::string& headers) {
  out_ = refusal(status, sentence, head, headers);
  written_ = 0;
  release_request();
  send_on_loop(false);
}

void HttpConnection::refuse(const HeadRefusal& refusal) {
  refuse(refusal.status, refusal.sentence, &head_, refusal.headers);
}

void HttpConnection::refuse_for_memory() {
  shared_.metrics.refused_memory.add();
  refuse(503,
         "the server has reached its limit of request bodies in memory (" + shared_.spooler.memory()->option() +
             "); try again later",
         &head_);
}

void HttpConnection::refuse_for_disk() {
  shared_.metrics.refused_disk.add();
  const ByteBudget* disk = shared_.spooler.disk();
  refuse(503,
         "the server has reached its limit of request bodies on disk" +
             (disk != nullptr ? " (" + disk->option() + ")" : "") + "; try again later",
         &head_);
}

std::string HttpConnection::refusal(int status, const std::string& sentence, const RequestHead* head,
                                    const std::string& headers) const {
  const FrontOptions& options = shared_.options;
  shared_.metrics.count_response(status);
  RefusalText text =
      head != nullptr && options.refusal ? options.refusal(*head, status, sentence) : plain_refusal(sentence);
  text.headers += headers;
  return refusal_response(shared_.loop.clock().wall_now(), status, text);
}

}  // namespace sse::net
