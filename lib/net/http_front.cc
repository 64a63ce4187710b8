#include "net/http_front.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/url.h"
#include "net/http_date.h"
#include "net/http_front_connection.h"
#include "net/multipart.h"
#include "net/peer_address.h"
#include "net/reason_phrase.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::net {
namespace {

constexpr std::chrono::milliseconds kTick{250};
constexpr std::size_t kReadSize = std::size_t{64} * 1024;
// Before the head has been read and checked.
constexpr std::size_t kHeadReadSize = std::size_t{16} * 1024;
constexpr std::size_t kMaxLingerBytes = std::size_t{4} * 1024 * 1024;
constexpr int kAcceptsPerTurn = 256;
constexpr const char* kTooManyOfAddress =
    "too many connections from this address (--max-connections-per-ip); close some first";
// Most refused connections that stay open until the client has read the reason. Well below the number of descriptors
// reserved for the admin listener.
constexpr std::size_t kMaxRefusedOpen = 64;
constexpr const char* kTooMany = "the server has too many requests waiting; try again later";
constexpr const char* kTooBusy = "the server is busy with requests of this kind; try again later";

std::string closing_response(WallTime now, int status, const RefusalText& text) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " " + reason_phrase(status) + "\r\n";
  out += date_line(now);
  if (status == 503 || status == 429) out += "Retry-After: 5\r\n";
  out += text.headers + "Content-Type: " + text.content_type +
         "\r\nConnection: close\r\nContent-Length: " + std::to_string(text.body.size()) + "\r\n\r\n" + text.body;
  return out;
}

bool has_body(const RequestHead& head) {
  return head.framing == BodyFraming::kChunked || head.content_length > 0;
}

RefusalText plain(const std::string& sentence) {
  RefusalText text;
  text.body = sentence + "\n";
  return text;
}

Peer peer_of(const sockaddr_storage& address) {
  Peer peer{address_of(address), 0};
  if (address.ss_family == AF_INET) peer.port = ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) peer.port = ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return peer;
}

}  // namespace

HttpFront::HttpFront(EventLoop& loop, Listener& listener, HttplibApp& app, WorkerPool& workers, FrontOptions options,
                     observe::Registry& metrics, std::function<std::size_t()> others_open)
    : loop_(loop),
      listener_(listener),
      app_(app),
      workers_(workers),
      options_(std::move(options)),
      others_open_(std::move(others_open)),
      full_("the server has reached its limit of connections (" + options_.max_connections_option +
            "); try again later"),
      limiter_(std::make_shared<AddressLimiter>(options_.max_per_address)),
      accepted_(metrics.counter("sse_http_accepted_total", "Connections accepted", {{"listener", options_.name}})),
      requests_(metrics.counter("sse_http_requests_total", "Requests handled", {{"listener", options_.name}})),
      refused_full_(metrics.counter("sse_http_refused_total", "Connections refused, by the limit that applied",
                                    {{"listener", options_.name}, {"reason", "max_connections"}})),
      refused_address_(metrics.counter("sse_http_refused_total", "Connections refused, by the limit that applied",
                                       {{"listener", options_.name}, {"reason", "max_connections_per_ip"}})),
      refused_descriptors_(metrics.counter("sse_http_refused_total", "Connections refused, by the limit that applied",
                                           {{"listener", options_.name}, {"reason", "descriptors"}})),
      bad_requests_(metrics.counter("sse_http_bad_requests_total", "Requests refused as malformed or too large",
                                    {{"listener", options_.name}})),
      timeouts_(metrics.counter("sse_http_timeouts_total", "Connections closed because a head or body was too slow",
                                {{"listener", options_.name}})),
      refused_memory_(metrics.counter("sse_http_bodies_refused_total", "Requests refused for the size of their body",
                                      {{"listener", options_.name}, {"reason", "memory"}})),
      refused_disk_(metrics.counter("sse_http_bodies_refused_total", "Requests refused for the size of their body",
                                    {{"listener", options_.name}, {"reason", "disk"}})),
      request_seconds_(metrics.histogram("sse_http_request_seconds",
                                         "From a request's last byte until its response is ready", observe::latencies(),
                                         {{"listener", options_.name}})),
      wheel_(kTick, 512, loop.clock().steady_now()) {
  if (options_.tls != nullptr) {
    const auto count = [&](const char* result) {
      return &metrics.counter("sse_tls_handshakes_total", "TLS handshakes, by result",
                              {{"listener", options_.name}, {"result", result}});
    };
    handshakes_done_ = count("done");
    handshakes_failed_ = count("failed");
    handshakes_timed_out_ = count("timeout");
  }
  if (options_.memory != nullptr) {
    metrics.gauge_callback("sse_http_body_memory_bytes", "Memory taken for request bodies",
                           [budget = options_.memory] { return static_cast<double>(budget->used()); },
                           {{"listener", options_.name}});
  }
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

HttpFront::~HttpFront() = default;

void HttpFront::start() {
  loop_.add(listener_.fd(), EPOLLIN, this);
  loop_.post([this] { loop_.run_every(kTick, [this] { check_deadlines(); }); });
}

void HttpFront::drain() {
  draining_.store(true);
  loop_.post([this] {
    loop_.remove(listener_.fd());
    listener_.close();
    std::vector<Connection*> incomplete;
    for (const auto& [key, connection] : connections_) {
      const auto state = connection->state.load();
      if (state == Connection::State::kHead || state == Connection::State::kHandshake)
        incomplete.push_back(connection.get());
      // Not destroyed: a worker may be about to re-arm it. It reads end-of-file as soon as it is armed.
      if (state == Connection::State::kIdle) ::shutdown(connection->fd(), SHUT_RD);
    }
    for (Connection* connection : incomplete) destroy(*connection);
  });
}

void HttpFront::on_events(std::uint32_t /*events*/) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd =
        ::accept4(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      accept_one(fd, address);
    } else if (errno == EMFILE || errno == ENFILE) {
      shed();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void HttpFront::accept_one(int fd, const sockaddr_storage& address) {
  UniqueFd socket(fd);
  accepted_.add();
  Peer peer = peer_of(address);
  const bool from_proxy = options_.max_per_address != 0 && options_.is_proxy && options_.is_proxy(peer.address);
  const std::size_t admitted = connections_.size() - refused_open_;
  if (options_.max_connections != 0 && admitted + others_open_() >= options_.max_connections) {
    refused_full_.add();
    refuse_connection(std::move(socket), std::move(peer), 503, full_.c_str());
    return;
  }
  std::unique_ptr<AddressLimiter::Ticket> ticket;
  if (!from_proxy && !limiter_->admit(peer.address, ticket)) {
    refused_address_.add();
    refuse_connection(std::move(socket), std::move(peer), 429, kTooManyOfAddress);
    return;
  }
  Connection* connection = adopt(std::move(socket), std::move(peer));
  if (connection == nullptr) return;
  connection->ticket = std::move(ticket);
  connection->from_proxy = from_proxy;
  if (options_.tls != nullptr) {
    connection->state.store(Connection::State::kHandshake, std::memory_order_relaxed);
    set_deadline(*connection, options_.handshake_timeout);
    return;
  }
  // Checked when a head that begins at once would be late: one entry in the wheel then serves both deadlines.
  connection->deadline.store(loop_.clock().steady_now() + options_.idle_timeout, std::memory_order_relaxed);
  schedule(*connection, loop_.clock().steady_now() + std::min(options_.head_timeout, options_.idle_timeout));
}

// Null when epoll refuses the descriptor.
HttpFront::Connection* HttpFront::adopt(UniqueFd socket, Peer peer) {
  const std::uint64_t key = next_key_++;
  auto owned = std::make_unique<Connection>(*this, key, std::move(socket), std::move(peer));
  Connection& connection = *owned;
  try {
    loop_.add(connection.fd(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, &connection);
  } catch (const Error& e) {
    observe::log_warn("connection refused", {{"listener", options_.name}, {"error", e.what()}});
    return nullptr;
  }
  connections_.emplace(key, std::move(owned));
  open_.store(connections_.size(), std::memory_order_relaxed);
  return &connection;
}

// Over TLS the client can read the reason only after a handshake.
void HttpFront::refuse_connection(UniqueFd socket, Peer peer, int status, const char* reason) {
  if (refused_open_ >= kMaxRefusedOpen) {
    if (options_.tls == nullptr) {
      const std::string text = closing_response(loop_.clock().wall_now(), status, plain(reason));
      ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return;
  }
  Connection* connection = adopt(std::move(socket), std::move(peer));
  if (connection == nullptr) return;
  connection->admitted = false;
  ++refused_open_;
  if (options_.tls == nullptr) {
    refuse(*connection, status, reason);
    return;
  }
  connection->state.store(Connection::State::kHandshake, std::memory_order_relaxed);
  connection->refusal = reason;
  connection->refusal_status = status;
  set_deadline(*connection, std::min(options_.handshake_timeout, kLingerTime));
}

void HttpFront::shed() {
  // Level-triggered accept would spin on a full descriptor table: the spare descriptor accepts the waiting connections
  // one after the other, to refuse them.
  const std::string refusal =
      closing_response(loop_.clock().wall_now(), 503, plain("the server is out of descriptors; try again later"));
  spare_.reset();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const UniqueFd socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) break;
    refused_descriptors_.add();
    // A TLS client could not read plain text.
    if (options_.tls == nullptr) ::send(socket.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
    ::shutdown(socket.get(), SHUT_WR);
  }
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!spare_.valid()) {
    // Another thread took the last descriptor: retry when a connection may have been closed.
    loop_.modify(listener_.fd(), 0, this);
    loop_.run_after(kTick, [this] {
      spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!draining_.load()) loop_.modify(listener_.fd(), EPOLLIN, this);
    });
  }
  if (loop_.now() - last_shed_log_ > std::chrono::seconds(5)) {
    last_shed_log_ = loop_.now();
    observe::log_warn(
        "new connections refused: out of descriptors; raise the limit (ulimit -n) or lower --max-connections",
        {{"listener", options_.name}});
  }
}

void HttpFront::on_readable(Connection& connection) {
  thread_local std::array<char, kReadSize> buffer;
  static_assert(kHeadReadSize >= TlsSession::kMaxRecord);
  const auto state = connection.state.load(std::memory_order_relaxed);
  // Discarded bytes need no decryption.
  const bool lingering = state == Connection::State::kLingering;
  std::size_t max_bytes = lingering || state == Connection::State::kBody ? kReadSize : kHeadReadSize;
  if (state == Connection::State::kBody && options_.spoolers != nullptr) {
    // Little more than the size from which the body goes to disk.
    const std::size_t limit = connection.plan.max_in_memory.count();
    max_bytes = std::clamp(limit + 1 - std::min(connection.body.size(), limit), kHeadReadSize, kReadSize);
  }
  const ssize_t n = lingering ? ::recv(connection.fd(), buffer.data(), max_bytes, 0)
                              : connection.socket.receive(buffer.data(), max_bytes);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    arm(connection, EPOLLIN | EPOLLRDHUP);
    return;
  }
  if (n <= 0) {
    destroy(connection);
    return;
  }
  if (lingering) {
    connection.lingered += static_cast<std::size_t>(n);
    if (connection.lingered > kMaxLingerBytes) {
      destroy(connection);
    } else {
      arm(connection, EPOLLIN | EPOLLRDHUP);
    }
    return;
  }
  connection.in.append(buffer.data(), static_cast<std::size_t>(n));
  advance(connection);
}

void HttpFront::advance(Connection& connection) {
  using State = Connection::State;
  if (connection.state.load(std::memory_order_relaxed) == State::kIdle) {
    if (connection.in.empty()) {
      arm(connection, EPOLLIN | EPOLLRDHUP);
      return;
    }
    connection.state.store(State::kHead, std::memory_order_relaxed);
    connection.scanned = 0;
    set_deadline(connection, options_.head_timeout);
  }
  if (connection.state.load(std::memory_order_relaxed) == State::kHead && !read_head(connection)) return;
  read_body(connection);
}

// Returns true when the body may be read now.
bool HttpFront::read_head(Connection& connection) {
  const HeadScan scan = scan_head(connection.in, connection.scanned);
  if (scan.status == HeadScan::Status::kBad) {
    bad_requests_.add();
    refuse(connection, scan.http_status, scan.reason);
    return false;
  }
  if (scan.status == HeadScan::Status::kIncomplete) {
    arm(connection, EPOLLIN | EPOLLRDHUP);
    return false;
  }
  begin_request(connection, scan.head);
  const RequestHead& head = connection.head;
  if (!admit_forwarded(connection, head)) return false;
  RequestPlan& plan = connection.plan;
  plan = options_.plan ? options_.plan(head, connection.peer) : RequestPlan{.max_body = options_.max_body};
  const bool multipart = !plan.takes_multipart && is_multipart(url_decode(header_value(head, "Content-Type")));
  if (plan.refusal) {
    bad_requests_.add();
    refuse(connection, *plan.refusal);
    return false;
  }
  if (multipart && has_body(head)) {
    bad_requests_.add();
    refuse(connection, 415, "a multipart body is not accepted here", &head);
    return false;
  }
  if (head.content_length > plan.max_body.count()) {
    bad_requests_.add();
    refuse(connection, 413, "the request body is larger than this server accepts", &head);
    return false;
  }
  if (head.framing == BodyFraming::kChunked)
    connection.decoder = std::make_unique<ChunkedDecoder>(plan.max_body.count());
  if (has_whole_body(connection)) return true;
  if (plan.admit) {
    request_admission(connection);
    return false;
  }
  send_continue(connection);
  return true;
}

void HttpFront::request_admission(Connection& connection) {
  connection.state.store(Connection::State::kBusy, std::memory_order_relaxed);
  connection.dispatched = loop_.now();
  WorkerPool& workers = connection.plan.workers != nullptr ? *connection.plan.workers : workers_;
  const bool taken = workers.submit([this, &connection] {
    AdmitResult result;
    const auto max_wait = connection.plan.max_wait;
    if (max_wait.count() != 0 && loop_.clock().steady_now() - connection.dispatched > max_wait) {
      result.refusal = HeadRefusal{503, kTooBusy};
    } else if (!observe::guarded("the admission of a request",
                                 [&] { result = connection.plan.admit(connection.head, connection.peer); })) {
      result.refusal = HeadRefusal{500, kFailed};
    }
    loop_.post(
        [this, &connection, result = std::move(result)]() mutable { after_admission(connection, std::move(result)); });
  });
  if (!taken) refuse(connection, 503, kTooMany, &connection.head);
}

void HttpFront::after_admission(Connection& connection, AdmitResult result) {
  if (result.refusal) {
    refuse(connection, *result.refusal);
    return;
  }
  connection.admission = std::move(result.admission);
  connection.state.store(Connection::State::kBody, std::memory_order_relaxed);
  send_continue(connection);
  read_body(connection);
}

// A connection from a proxy counts for the client that it forwards, for as long as the request or its stream lasts.
bool HttpFront::admit_forwarded(Connection& connection, const RequestHead& head) {
  if (!connection.from_proxy) return true;
  connection.ticket.reset();
  if (limiter_->admit(options_.client_address(connection.peer.address, head), connection.ticket)) return true;
  refused_address_.add();
  refuse(connection, 429, kTooManyOfAddress, &head);
  return false;
}

void HttpFront::begin_request(Connection& connection, const RequestHead& head) {
  // The views point into `in`, whose front is erased below: they must point into head_text instead.
  const char* old_base = connection.in.data();
  connection.head_text.assign(connection.in, 0, head.size);
  connection.head = head;
  for (std::string_view* view : {&connection.head.method, &connection.head.target, &connection.head.headers}) {
    if (view->data() >= old_base && view->data() < old_base + head.size) {
      *view = std::string_view(connection.head_text)
                  .substr(static_cast<std::size_t>(view->data() - old_base), view->size());
    }
  }
  connection.in.erase(0, head.size);
  connection.body.clear();
  connection.memory = ByteBudget::Share(options_.memory);
  connection.disk = ByteBudget::Share(options_.disk);
  connection.admission.reset();
  connection.state.store(Connection::State::kBody, std::memory_order_relaxed);
}

std::string HttpFront::refusal(int status, const std::string& sentence, const RequestHead* head,
                               const std::string& headers) const {
  RefusalText text = head != nullptr && options_.refusal ? options_.refusal(*head, status, sentence) : plain(sentence);
  text.headers += headers;
  return closing_response(loop_.clock().wall_now(), status, text);
}

void HttpFront::refuse(Connection& connection, int status, const std::string& reason, const RequestHead* head,
                       const std::string& headers) {
  connection.out = refusal(status, reason, head, headers);
  connection.written = 0;
  release_body(connection);
  send_out(connection, false);
}

void HttpFront::refuse(Connection& connection, const HeadRefusal& refusal) {
  refuse(connection, refusal.status, refusal.sentence, &connection.head, refusal.headers);
}

void HttpFront::dispatch(Connection& connection) {
  if (connection.spooled && !connection.plan.in_file) {
    std::string().swap(connection.body);
    // Requests that already wait come first.
    const bool waited = connection.state.load() == Connection::State::kWaiting;
    if ((!waited && !memory_waiters_.empty()) || !connection.memory.raise_to(connection.spooled->size())) {
      wait_for_memory(connection);
      return;
    }
  }
  connection.state.store(Connection::State::kBusy, std::memory_order_relaxed);
  requests_.add();
  connection.dispatched = loop_.now();
  connection.complete_at = loop_.clock().steady_now();
  if (fast_handler_ && !connection.spooled) {
    Responder responder(*this, connection);
    bool taken = false;
    if (!observe::guarded("a request", [&] { taken = fast_handler_(connection.head, connection.body, responder); })) {
      if (std::exchange(responder.connection_, nullptr) != nullptr) refuse(connection, 500, kFailed, &connection.head);
      return;
    }
    if (taken) return;
    responder.connection_ = nullptr;
  }
  WorkerPool& workers = connection.plan.workers != nullptr ? *connection.plan.workers : workers_;
  const auto work = [this, &connection] {
    if (observe::guarded("a request", [&] { handle(connection); })) return;
    if (!connection.socket.fd.valid()) {
      loop_.post([this, &connection] { destroy(connection); });
      return;
    }
    connection.out = refusal(500, kFailed, &connection.head);
    connection.written = 0;
    release_body(connection);
    finish(connection, false);
  };
  if (!workers.submit(work)) {
    refuse(connection, 503, kTooMany, &connection.head);
  }
}

void HttpFront::handle(Connection& connection) {
  const bool keep_alive = connection.head.keep_alive && !draining_.load(std::memory_order_relaxed);
  if (connection.plan.max_wait.count() != 0 &&
      loop_.clock().steady_now() - connection.dispatched > connection.plan.max_wait) {
    // The client has probably given up by now, or will soon.
    connection.out = refusal(503, kTooBusy, &connection.head);
    release_body(connection);
    connection.written = 0;
    finish(connection, false);
    return;
  }
  std::optional<Reply> content;
  if (options_.content) content = options_.content(connection.head, keep_alive);
  RequestExtras extras;
  extras.admission = connection.admission.get();
  std::string text;
  if (connection.spooled) {
    extras.file = connection.spooled->fd();
    extras.file_size = connection.spooled->size();
    extras.loadable = !connection.plan.in_file;
    text = normalized_head(connection.head, extras.file_size);
  } else {
    text = normalized_request(connection.head, connection.body);
    std::string().swap(connection.body);
  }
  Reply reply = content ? std::move(*content) : app_.process(text, connection.peer, keep_alive, extras);
  std::string().swap(text);
  release_body(connection);
  reply.bytes.insert(std::min(reply.bytes.find("\r\n"), reply.bytes.size() - 2) + 2,
                     date_line(loop_.clock().wall_now()));
  if (reply.hand_over) {
    note_handled(connection);
    loop_.remove(connection.fd());
    reply.hand_over({std::move(connection.socket), stream_head(std::move(reply.bytes), connection.head.http_1_0),
                     std::move(connection.ticket)});
    loop_.post([this, &connection] { destroy(connection); });
    return;
  }
  connection.out = std::move(reply.bytes);
  connection.written = 0;
  connection.file = std::move(reply.file);
  if (reply.keep_alive && draining_.load()) {
    reply.keep_alive = false;
    connection.out.insert(connection.out.find("\r\n"), "\r\nConnection: close");
  }
  finish(connection, reply.keep_alive);
}

void HttpFront::note_handled(const Connection& connection) {
  request_seconds_.observe(std::chrono::duration<double>(loop_.clock().steady_now() - connection.complete_at).count());
}

void HttpFront::arm(Connection& connection, std::uint32_t events) {
  loop_.modify(connection.fd(), events | EPOLLONESHOT, &connection);
}

void HttpFront::set_deadline(Connection& connection, std::chrono::milliseconds delay) {
  const SteadyTime due = loop_.clock().steady_now() + delay;
  connection.deadline.store(due, std::memory_order_relaxed);
  if (due < connection.scheduled) schedule(connection, due);
}

void HttpFront::schedule(Connection& connection, SteadyTime when) {
  connection.scheduled = wheel_.add(connection.key, when);
}

void HttpFront::check_deadlines() {
  const SteadyTime now = loop_.now();
  dispatch_waiting();
  wheel_.advance(now, [&](std::uint64_t key) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    const auto state = connection.state.load(std::memory_order_acquire);
    const SteadyTime due = connection.deadline.load(std::memory_order_relaxed);
    // A later entry exists: the deadline has been moved since this one was added.
    if (connection.scheduled > now) return;
    if (state == Connection::State::kBusy || due > now) {
      schedule(connection, state == Connection::State::kBusy ? now + options_.head_timeout : due);
      return;
    }
    connection.scheduled = SteadyTime::max();
    if (state == Connection::State::kHandshake) {
      on_handshake_timeout(connection);
    } else if (state == Connection::State::kWaiting) {
      refuse_for_memory(connection);
    } else if (state == Connection::State::kHead || state == Connection::State::kBody) {
      timeouts_.add();
      refuse(connection, 408, "the request arrived too slowly",
             state == Connection::State::kBody ? &connection.head : nullptr);
    } else {
      destroy(connection);
    }
  });
}

void HttpFront::destroy(Connection& connection) {
  if (connection.socket.tls && connection.state.load(std::memory_order_relaxed) == Connection::State::kIdle)
    connection.socket.tls->end();
  release_body(connection);
  if (!connection.admitted) --refused_open_;
  connections_.erase(connection.key);
  open_.store(connections_.size(), std::memory_order_relaxed);
}

}  // namespace sse::net
