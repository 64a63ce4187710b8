// HttpConnection from an admitted request until it has been handled.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_connection.h"
#include "net/http_date.h"
#include "net/httplib_app.h"
#include "net/refusal.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::net {
namespace {

// `head` begins like "HTTP/1.1 200 OK".
int status_of(std::string_view head) {
  const std::string_view digits = head.substr(std::min(head.size(), head.find(' ') + 1), 3);
  int status = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return status;
}

}  // namespace

void HttpConnection::await_body() {
  set_state(State::kBody);
  set_deadline(shared_.options.body_timeout);
  if (head_.expects_continue && in_.empty()) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // The socket's buffer is empty between requests. A failed send shows at the next read; shutdown() makes sure of
    // that, because half a TLS record must not be left behind.
    if (socket_.send(kContinue) < 0) ::shutdown(fd(), SHUT_RDWR);
  }
  receive_body();
}

void HttpConnection::receive_body() {
  switch (body_.receive(in_)) {
    case RequestBody::Progress::kIncomplete:
      arm(EPOLLIN | EPOLLRDHUP);
      return;
    case RequestBody::Progress::kComplete:
      on_body_complete();
      return;
    case RequestBody::Progress::kMustBeWritten:
      spool_body();
      return;
    case RequestBody::Progress::kMalformed:
      shared_.metrics.bad_requests.add();
      refuse(400, "the chunked request body is malformed", &head_);
      return;
    case RequestBody::Progress::kTooLarge:
      shared_.metrics.bad_requests.add();
      refuse(413, kBodyTooLarge, &head_);
      return;
    case RequestBody::Progress::kMemoryIsFull:
      refuse_for_memory();
      return;
  }
}

// The connection is not read while its piece is written: a client that is faster than the disk has to wait.
void HttpConnection::spool_body() {
  if (!body_.reserve_disk()) {
    refuse_for_disk();
    return;
  }
  set_state(State::kSpooling);
  const bool taken = shared_.spooler.write(body_, [this](const std::string& problem) { on_body_written(problem); });
  if (!taken) refuse(503, "the server has too many uploads waiting; try again later", &head_);
}

void HttpConnection::on_body_written(const std::string& problem) {
  shared_.loop.assert_in_loop_thread();
  body_.release_memory();
  if (!problem.empty()) {
    observe::log_error("an upload was refused", {{"error", problem}});
    refuse(507, "the server cannot store the request body", &head_);
  } else if (body_.complete()) {
    on_body_complete();
  } else {
    set_state(State::kBody);
    set_deadline(shared_.options.body_timeout);
    receive_body();
  }
}

void HttpConnection::on_body_complete() {
  if (!body_.on_disk() || plan_.in_file) {
    dispatch();
  } else if (!body_.file_fits_into_memory()) {
    refuse_for_memory();
  } else if (!shared_.owner.waits_for_memory() && body_.reserve_memory_of_file()) {
    dispatch();
  } else {
    wait_for_memory();
  }
}

// In order of arrival, until there is memory for a body that is on disk.
void HttpConnection::wait_for_memory() {
  body_.drop_bytes();
  set_state(State::kWaitingForMemory);
  const auto timeout = shared_.options.body_timeout;
  set_deadline(plan_.max_wait.count() != 0 ? std::min(plan_.max_wait, timeout) : timeout);
  shared_.owner.wait_for_memory(*this);
}

bool HttpConnection::resume_with_memory() {
  shared_.loop.assert_in_loop_thread();
  if (!body_.reserve_memory_of_file()) return false;
  dispatch();
  return true;
}

void HttpConnection::dispatch() {
  set_state(State::kHandling);
  shared_.metrics.requests.add();
  submitted_ = shared_.loop.clock().steady_now();
  if (shared_.fast_handler && !body_.on_disk() && offer_to_fast_handler()) return;
  if (!workers().submit([this] { run_on_worker(); })) refuse(503, kTooManyWaiting, &head_);
}

// Returns true when the request is answered, or will be: then it may already belong to another thread.
bool HttpConnection::offer_to_fast_handler() {
  Responder responder(*this);
  bool taken = false;
  const bool well =
      observe::guarded("a request", [&] { taken = shared_.fast_handler(head_, body_.bytes(), responder); });
  if (!well) {
    if (responder.withdraw()) refuse(500, kFailed, &head_);
    return true;
  }
  if (!taken) responder.withdraw();
  return taken;
}

void HttpConnection::run_on_worker() {
  if (observe::guarded("a request", [this] { handle(); })) return;
  if (socket_.valid()) {
    answer_refusal(500, kFailed);
  } else {
    shared_.loop.post([this] { close(); });
  }
}

void HttpConnection::handle() {
  if (waited_too_long()) {
    // The client has probably given up by now, or will soon.
    answer_refusal(503, kTooBusy);
    return;
  }
  Reply reply = reply_of(head_.keep_alive && !draining());
  release_request();
  shared_.metrics.count_response(status_of(reply.bytes));
  reply.bytes.insert(std::min(reply.bytes.find("\r\n"), reply.bytes.size() - 2) + 2,
                     date_line(shared_.loop.clock().wall_now()));
  if (reply.hand_over) {
    reply.hand_over(leave_front(std::move(reply.bytes)));
    shared_.loop.post([this] { close(); });
    return;
  }
  out_ = std::move(reply.bytes);
  written_ = 0;
  file_ = std::move(reply.file);
  if (reply.keep_alive && shared_.draining.load()) {
    reply.keep_alive = false;
    out_.insert(out_.find("\r\n"), "\r\nConnection: close");
  }
  finish(reply.keep_alive);
}

Reply HttpConnection::reply_of(bool keep_alive) {
  if (shared_.options.content) {
    if (std::optional<Reply> reply = shared_.options.content(head_, keep_alive)) return std::move(*reply);
  }
  RequestExtras extras;
  extras.admission = admission_.get();
  std::string text;
  if (body_.on_disk()) {
    extras.file = body_.file();
    extras.file_size = body_.file_size();
    extras.loadable = !plan_.in_file;
    text = normalized_head(head_, extras.file_size);
  } else {
    text = normalized_request(head_, body_.bytes());
    body_.drop_bytes();
  }
  return shared_.app.process(text, peer_, keep_alive, extras);
}

// The socket with its places under the limits: from now on this object holds nothing, until it is closed.
HandedOverConnection HttpConnection::leave_front(std::string head) {
  note_handled();
  shared_.loop.remove(fd());
  return {std::move(socket_), stream_head(std::move(head), head_.http_1_0), std::move(place_.ticket),
          std::move(place_.counted)};
}

bool HttpConnection::waited_too_long() const {
  return plan_.max_wait.count() != 0 && shared_.loop.clock().steady_now() - submitted_ > plan_.max_wait;
}

}  // namespace sse::net
