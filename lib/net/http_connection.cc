// HttpConnection from its start until the head of a request has been decided on, and its deadlines.
#include "net/http_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/url.h"
#include "net/multipart.h"
#include "net/proxy_header.h"
#include "net/refusal.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
// Before the head has been read and checked.
constexpr std::size_t kHeadReadSize = std::size_t{16} * 1024;
static_assert(kHeadReadSize >= TlsSession::kMaxRecord);
// More than the buffers of both sockets hold (tcp_rmem, tcp_wmem: often up to 32 MiB): what they hold when a client is
// refused would otherwise end the connection before it has read why. The time is limited, too.
constexpr std::uint32_t kMaxLingerBytes = 64 * 1024 * 1024;

constexpr const char* kUntrustedHeader =
    "a PROXY protocol header is accepted only with --proxy-protocol, and from a --trusted-proxy";

// The read buffer of all connections of a thread.
std::array<char, kReadSize>& read_buffer() {
  thread_local std::array<char, kReadSize> buffer;
  return buffer;
}

bool has_body(const RequestHead& head) {
  return head.framing == BodyFraming::kChunked || head.content_length > 0;
}

// A copy of `head` whose views point into `copy` instead of `original`, both of which begin with the head's text.
RequestHead moved_head(const RequestHead& head, const std::string& original, const std::string& copy) {
  RequestHead moved = head;
  for (std::string_view* view : {&moved.method, &moved.target, &moved.headers}) {
    if (view->data() < original.data() || view->data() >= original.data() + head.size) continue;
    *view = std::string_view(copy).substr(static_cast<std::size_t>(view->data() - original.data()), view->size());
  }
  return moved;
}

}  // namespace

HttpConnection::HttpConnection(const Shared& shared, std::uint64_t key, AcceptedConnection accepted)
    : shared_(shared),
      key_(key),
      socket_(std::move(accepted.socket)),
      peer_(std::move(accepted.peer)),
      place_(std::move(accepted.place)),
      tls_(accepted.tls),
      state_(accepted.begins_with_header ? State::kProxyHeader : State::kIdle) {}

void HttpConnection::watch() {
  shared_.loop.add(fd(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, this);
}

void HttpConnection::start() {
  shared_.loop.assert_in_loop_thread();
  const FrontOptions& options = shared_.options;
  // The client of a refused connection can read the reason only after the handshake.
  if (state() == State::kProxyHeader && (tls_ || place_.refusal == nullptr)) {
    set_deadline(options.head_timeout);
    return;
  }
  if (tls_) {
    begin_handshake();
    return;
  }
  if (place_.refusal != nullptr) {
    refuse(place_.refusal->status, place_.refusal->sentence);
    return;
  }
  // Checked when a head that begins at once would be late: one entry of the owner then serves both deadlines.
  const SteadyTime now = shared_.loop.clock().steady_now();
  deadline_.store(now + options.idle_timeout, std::memory_order_relaxed);
  scheduled_ = shared_.owner.schedule(*this, now + std::min(options.head_timeout, options.idle_timeout));
}

void HttpConnection::on_events(std::uint32_t /*events*/) {
  switch (state()) {
    case State::kProxyHeader:
      read_proxy_header();
      return;
    case State::kHandshake:
      do_handshake();
      return;
    case State::kWriting:
      send_on_loop(keep_after_write_);
      return;
    case State::kLingering:
      discard();
      return;
    default:
      on_readable();
  }
}

void HttpConnection::on_readable() {
  shared_.loop.assert_in_loop_thread();
  auto& buffer = read_buffer();
  // Of a body, little more than what makes it go to disk.
  const std::size_t size =
      state() == State::kBody ? std::clamp(body_.left_in_memory(), kHeadReadSize, kReadSize) : kHeadReadSize;
  const ssize_t n = socket_.receive(buffer.data(), size);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    arm(EPOLLIN | EPOLLRDHUP);
    return;
  }
  if (n <= 0) {
    close();
    return;
  }
  in_.append(buffer.data(), static_cast<std::size_t>(n));
  if (state() == State::kBody) {
    receive_body();
  } else {
    advance();
  }
}

// Reads on after the last response.
void HttpConnection::discard() {
  shared_.loop.assert_in_loop_thread();
  // The bytes need no decryption.
  const ssize_t n = ::recv(fd(), read_buffer().data(), kReadSize, 0);
  if (n > 0) lingered_ += static_cast<std::uint32_t>(n);
  const bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
  if (again || (n > 0 && lingered_ <= kMaxLingerBytes)) {
    arm(EPOLLIN | EPOLLRDHUP);
  } else {
    close();
  }
}

// The head of the next request, as far as it has arrived.
void HttpConnection::advance() {
  shared_.loop.assert_in_loop_thread();
  if (state() == State::kIdle) {
    if (in_.empty()) {
      arm(EPOLLIN | EPOLLRDHUP);
      return;
    }
    set_state(State::kHead);
    scanned_ = 0;
    set_deadline(shared_.options.head_timeout);
  }
  read_head();
}

void HttpConnection::read_head() {
  const HeadScan scan = scan_head(in_, scanned_);
  switch (scan.status) {
    case HeadScan::Status::kIncomplete:
      arm(EPOLLIN | EPOLLRDHUP);
      return;
    case HeadScan::Status::kBad:
      shared_.metrics.bad_requests.add();
      refuse(scan.http_status, begins_like_proxy_header(in_) ? kUntrustedHeader : scan.reason);
      return;
    case HeadScan::Status::kComplete:
      begin_request(scan.head);
      decide();
      return;
  }
}

void HttpConnection::begin_request(const RequestHead& head) {
  head_text_.assign(in_, 0, head.size);
  head_ = moved_head(head, in_, head_text_);
  in_.erase(0, head.size);
  admission_.reset();
  set_state(State::kBody);
}

// The head decides how the rest is treated.
void HttpConnection::decide() {
  const FrontOptions& options = shared_.options;
  if (place_.from_proxy && !shared_.limits.admit_forwarded(options.client_address(peer_.address, head_), place_)) {
    const ConnectionRefusal& refusal = shared_.limits.too_many_of_address();
    refuse(refusal.status, refusal.sentence, &head_);
    return;
  }
  plan_ = options.plan ? options.plan(head_, peer_) : RequestPlan{.max_body = options.max_body};
  if (refused_by_head()) return;
  body_.begin(head_, plan_, shared_.spooler);
  if (body_.is_whole_in(in_)) {
    // Its handler checks the sender.
    receive_body();
  } else if (plan_.admit) {
    request_admission();
  } else {
    await_body();
  }
}

bool HttpConnection::refused_by_head() {
  const bool multipart = !plan_.takes_multipart && is_multipart(url_decode(header_value(head_, "Content-Type")));
  std::optional<HeadRefusal> refusal;
  if (plan_.refusal) {
    refusal = plan_.refusal;
  } else if (multipart && has_body(head_)) {
    refusal = {415, "a multipart body is not accepted here"};
  } else if (head_.content_length > plan_.max_body.count()) {
    refusal = {413, kBodyTooLarge};
  }
  if (!refusal) return false;
  shared_.metrics.bad_requests.add();
  refuse(*refusal);
  return true;
}

void HttpConnection::request_admission() {
  set_state(State::kAdmission);
  submitted_ = shared_.loop.clock().steady_now();
  const bool taken = workers().submit([this] {
    AdmitResult result;
    if (waited_too_long()) {
      result.refusal = HeadRefusal{503, kTooBusy};
    } else if (!observe::guarded("the admission of a request", [&] { result = plan_.admit(head_, peer_); })) {
      result.refusal = HeadRefusal{500, kFailed};
    }
    shared_.loop.post([this, result = std::move(result)]() mutable { on_admission(std::move(result)); });
  });
  if (!taken) refuse(503, kTooManyWaiting, &head_);
}

void HttpConnection::on_admission(AdmitResult result) {
  shared_.loop.assert_in_loop_thread();
  if (result.refusal) {
    refuse(*result.refusal);
    return;
  }
  admission_ = std::move(result.admission);
  await_body();
}

void HttpConnection::arm(std::uint32_t events) {
  shared_.loop.modify(fd(), events | EPOLLONESHOT, this);
}

void HttpConnection::set_deadline(std::chrono::milliseconds delay) {
  const SteadyTime due = shared_.loop.clock().steady_now() + delay;
  deadline_.store(due, std::memory_order_relaxed);
  if (due < scheduled_) scheduled_ = shared_.owner.schedule(*this, due);
}

// Another thread may own the request.
bool HttpConnection::is_busy() const {
  const State now = state();
  return now == State::kAdmission || now == State::kSpooling || now == State::kHandling;
}

void HttpConnection::check_deadline(SteadyTime now) {
  shared_.loop.assert_in_loop_thread();
  // A later call is due: the deadline has been moved since this one was scheduled.
  if (scheduled_ > now) return;
  const bool busy = is_busy();
  const SteadyTime due = deadline_.load(std::memory_order_relaxed);
  if (busy || due > now) {
    scheduled_ = shared_.owner.schedule(*this, busy ? now + shared_.options.head_timeout : due);
    return;
  }
  scheduled_ = SteadyTime::max();
  switch (state()) {
    case State::kProxyHeader:
      shared_.metrics.timeouts.add();
      close();
      return;
    case State::kHandshake:
      on_handshake_timeout();
      return;
    case State::kWaitingForMemory:
      refuse_for_memory();
      return;
    case State::kHead:
    case State::kBody:
      shared_.metrics.timeouts.add();
      refuse(408, "the request arrived too slowly", state() == State::kBody ? &head_ : nullptr);
      return;
    default:
      close();
  }
}

void HttpConnection::drain() {
  shared_.loop.assert_in_loop_thread();
  switch (state_.load()) {
    case State::kProxyHeader:
    case State::kHandshake:
    case State::kHead:
      close();
      return;
    case State::kIdle:
      // Not closed: a worker may be about to re-arm it. It reads end-of-file as soon as it is armed.
      ::shutdown(fd(), SHUT_RD);
      return;
    default:
      return;
  }
}

}  // namespace sse::net
