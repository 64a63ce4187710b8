#include "net/stream.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/step_count.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

constexpr std::array<std::string_view, kCloseReasons> kReasonNames{
    "client-closed", "connection-lost", "disconnect", "slow-consumer", "keepalive",  "replaced",
    "server-closed", "shutdown",        "refused",    "token-expired", "unconfirmed"};
constexpr std::uint32_t kWatched = EPOLLIN | EPOLLRDHUP;
constexpr std::size_t kMaxPieces = 256;
static_assert(sizeof(Stream) <= 64, "a delivery touches one cache line of a stream");

}  // namespace

std::string_view reason_name(CloseReason reason) {
  return kReasonNames.at(static_cast<std::size_t>(reason));
}

std::optional<CloseReason> reason_from_name(std::string_view name) {
  const auto found = std::ranges::find(kReasonNames, name);
  if (found == kReasonNames.end()) return std::nullopt;
  return static_cast<CloseReason>(found - kReasonNames.begin());
}

Stream::Stream(const Host& host, Socket socket, bool chunked)
    : host_(host), fd_(std::move(socket.fd)), last_write_(host.loop.now()), chunked_(chunked) {
  if (socket.tls) {
    extra_ = std::make_unique<Extra>();
    extra_->tls = std::move(socket.tls);
  }
  host_.loop.add(fd_.get(), kWatched, this);
}

Stream::~Stream() {
  if (!fd_.valid()) return;
  add_to_backlog(-std::int64_t{backlog_});
  host_.loop.remove(fd_.get());
}

Stream::Append Stream::append(const event::FrameRef& frame) {
  host_.loop.assert_in_loop_thread();
  if (!open()) return Append::kClosed;
  const event::Frame& view = frame->view(chunked_);
  const std::uint64_t size = view.size();
  const std::uint64_t limit = std::min<std::uint64_t>(host_.limits.max_backlog, UINT32_MAX);
  // The backlog may be bytes that this turn has queued, not bytes that the client is slow to take: try to write them
  // first.
  if (backlog_ > 0 && backlog_ + size > limit && !blocked_) {
    flush();
    if (!open()) return Append::kClosed;
  }
  if (backlog_ > 0 && backlog_ + size > limit) {
    return host_.limits.overflow == Overflow::kDrop ? Append::kDropped : Append::kOverflow;
  }
  enqueue(view);
  return Append::kTaken;
}

void Stream::enqueue(const event::Frame& view) {
  backlog_ += static_cast<std::uint32_t>(view.size());
  add_to_backlog(static_cast<std::int64_t>(view.size()));
  if (!first_) {
    first_ = event::Frame::share(view);
  } else {
    if (!extra_) extra_ = std::make_unique<Extra>();
    extra_->queue.push_back(event::Frame::share(view));
  }
  if (!blocked_ && !dirty_) {
    dirty_ = true;
    host_.owner.stream_dirty(*this);
  }
}

std::size_t Stream::queued() const {
  if (!first_) return 0;
  return 1 + (extra_ ? extra_->queue.size() - extra_->head : 0);
}

std::vector<MessageId> Stream::carried_messages() const {
  host_.loop.assert_in_loop_thread();
  std::vector<MessageId> messages;
  if (first_ && first_->message().valid()) messages.push_back(first_->message());
  if (!extra_) return messages;
  for (std::size_t i = extra_->head; i < extra_->queue.size(); ++i) {
    if (extra_->queue[i]->message().valid()) messages.push_back(extra_->queue[i]->message());
  }
  for (const Unacknowledged& one : extra_->unacknowledged) messages.push_back(one.message);
  std::ranges::sort(messages);
  return messages;
}

std::size_t Stream::unacknowledged_messages() const {
  if (!watches_acknowledgements_) return 0;
  std::size_t messages = first_ && first_->message().valid() ? 1 : 0;
  if (!extra_) return messages;
  for (std::size_t i = extra_->head; i < extra_->queue.size(); ++i) {
    if (extra_->queue[i]->message().valid()) ++messages;
  }
  return messages + extra_->unacknowledged.size();
}

void Stream::flush() {
  host_.loop.assert_in_loop_thread();
  dirty_ = false;
  if (closed()) return;
  while (first_) {
    if (!write_some()) return;
  }
  const bool was_blocked = blocked_;
  set_blocked(false);
  if (finishing_ && !peer_first_ && !write_ended_) {
    if (tls() != nullptr && !tls()->end()) {
      set_blocked(true);
      return;
    }
    write_ended_ = true;
    ::shutdown(fd_.get(), SHUT_WR);
  }
  if (was_blocked && open()) host_.owner.stream_drained(*this);
}

// One system call. Returns false when the socket is full or closed.
bool Stream::write_some() {
  const ssize_t n = tls() != nullptr ? send_encrypted() : send_plain();
  if (n >= 0) {
    last_write_ = CoarseTime(host_.loop.now());
    consume(static_cast<std::size_t>(n));
    return true;
  }
  if (errno == EINTR) return true;
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    set_blocked(true);
  } else {
    close(CloseReason::kConnectionLost);
  }
  return false;
}

ssize_t Stream::send_plain() {
  const std::size_t count = std::min(queued(), kMaxPieces);
  if (count == 1) {
    // For a single buffer, plain send() is faster than every gathering call.
    return ::send(fd_.get(), first_->bytes().data() + first_written_, first_->size() - first_written_,
                  MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  std::array<iovec, kMaxPieces> pieces;
  const auto piece = [](std::string_view bytes) { return iovec{const_cast<char*>(bytes.data()), bytes.size()}; };
  pieces[0] = piece(first_->bytes().substr(first_written_));
  for (std::size_t i = 1; i < count; ++i) pieces[i] = piece(extra_->queue[extra_->head + i - 1]->bytes());
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Sends one record of the queued bytes. A retry offers the same bytes, because the queue grows only at its end.
ssize_t Stream::send_encrypted() {
  const std::string_view first = first_->bytes().substr(first_written_);
  if (queued() == 1 || first.size() >= TlsSession::kMaxRecord) return tls()->write(first);
  thread_local std::array<char, TlsSession::kMaxRecord> record;
  std::memcpy(record.data(), first.data(), first.size());
  std::size_t size = first.size();
  for (std::size_t i = extra_->head; i < extra_->queue.size() && size < record.size(); ++i) {
    const std::string_view bytes = extra_->queue[i]->bytes();
    const std::size_t n = std::min(bytes.size(), record.size() - size);
    std::memcpy(record.data() + size, bytes.data(), n);
    size += n;
  }
  return tls()->write({record.data(), size});
}

void Stream::consume(std::size_t bytes) {
  sent_ += bytes;
  backlog_ -= static_cast<std::uint32_t>(bytes);
  add_to_backlog(-static_cast<std::int64_t>(bytes));
  while (bytes > 0) {
    const std::size_t rest = first_->size() - first_written_;
    if (bytes < rest) {
      first_written_ += static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= rest;
    if (watches_acknowledgements_ && first_->message().valid()) {
      if (!extra_) extra_ = std::make_unique<Extra>();
      // The rest of `bytes` belongs to later frames; of a TLS record, all bytes have to be acknowledged.
      const std::uint64_t end = tls() != nullptr ? tls()->wire_bytes() : sent_ - bytes;
      extra_->unacknowledged.push_back({end, first_->message(), first_->recipient()});
      host_.owner.stream_unacknowledged(*this);
    }
    pop_first();
  }
}

void Stream::pop_first() {
  first_written_ = 0;
  first_ = event::FrameRef();
  if (!extra_ || extra_->head == extra_->queue.size()) return;
  first_ = std::move(extra_->queue[extra_->head++]);
  if (extra_->head == extra_->queue.size()) {
    extra_->queue.clear();
    extra_->head = 0;
  } else if (extra_->head >= 1024) {
    // A backlog that never empties must not retain the frames already sent.
    extra_->queue.erase(extra_->queue.begin(), extra_->queue.begin() + static_cast<std::ptrdiff_t>(extra_->head));
    extra_->head = 0;
  }
}

// Only one thread writes, so that no locked instruction is needed.
void Stream::add_to_backlog(std::int64_t change) {
  host_.backlog.store(host_.backlog.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(change),
                      std::memory_order_relaxed);
}

void Stream::trim() {
  host_.loop.assert_in_loop_thread();
  if (!extra_ || !extra_->unacknowledged.empty() || !extra_->queue.empty()) return;
  if (extra_->tls) {
    extra_->queue.shrink_to_fit();
    extra_->unacknowledged.shrink_to_fit();
  } else {
    extra_.reset();
  }
}

void Stream::set_blocked(bool blocked) {
  if (blocked_ == blocked) return;
  blocked_ = blocked;
  host_.loop.modify(fd_.get(), kWatched | (blocked ? EPOLLOUT : 0U), this);
}

void Stream::finish(CloseReason reason, bool peer_first) {
  host_.loop.assert_in_loop_thread();
  if (!open()) return;
  finishing_ = true;
  peer_first_ = peer_first;
  finish_reason_ = reason;
  // A client treats the last chunk as the end of the stream, as it does our FIN: with `peer_first` neither is sent
  // before the peer has closed.
  if (chunked_ && !peer_first) enqueue(event::last_chunk()->view(true));
  if (!blocked_ && !dirty_) {
    dirty_ = true;
    host_.owner.stream_dirty(*this);
  }
}

bool Stream::end() {
  host_.loop.assert_in_loop_thread();
  if (!finishing_ || !peer_first_) return false;
  peer_first_ = false;
  if (chunked_) enqueue(event::last_chunk()->view(true));
  if (!blocked_) flush();
  return true;
}

void Stream::abort(CloseReason reason) {
  host_.loop.assert_in_loop_thread();
  if (!closed()) close(finishing_ ? finish_reason_ : reason);
}

bool Stream::check_acknowledged() {
  host_.loop.assert_in_loop_thread();
  count_steps();
  if (!awaits_acknowledgement()) return false;
  if (closed()) return false;
  int unacknowledged = 0;
  // SIOCOUTQ: bytes written that the peer has not acknowledged, tcp(7). Our FIN counts as one more byte; it is the last
  // one, so that it is missing as long as anything is missing.
  if (::ioctl(fd_.get(), SIOCOUTQ, &unacknowledged) != 0) return true;
  const bool and_fin = write_ended_ && unacknowledged > 0;
  const std::uint64_t missing = static_cast<std::uint64_t>(std::max(unacknowledged, 0) - (and_fin ? 1 : 0));
  const std::uint64_t acknowledged = position() > missing ? position() - missing : 0;
  auto& waiting = extra_->unacknowledged;
  std::size_t n = 0;
  while (n < waiting.size() && waiting[n].end <= acknowledged) {
    host_.owner.stream_acknowledged(*this, waiting[n].message, waiting[n].recipient);
    ++n;
  }
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
  return !waiting.empty();
}

void Stream::on_events(std::uint32_t events) {
  const auto handle = [&] {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      close(CloseReason::kConnectionLost);
      return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) read_and_discard();
    if ((events & EPOLLOUT) != 0 && !closed()) flush();
  };
  // Otherwise the same event would be reported again for ever.
  if (!observe::guarded("an event of a stream", handle)) close(CloseReason::kConnectionLost);
}

// The client of a stream sends nothing that is needed; received bytes are discarded, only the end of the connection
// matters.
void Stream::read_and_discard() {
  thread_local std::array<char, std::size_t{16} * 1024> sink;
  const ssize_t n = tls() != nullptr ? tls()->read(sink.data(), sink.size())
                                     : ::recv(fd_.get(), sink.data(), sink.size(), MSG_DONTWAIT);
  if (n > 0) return;
  if (n == 0) {
    close(CloseReason::kClientClosed);
  } else if (errno != EAGAIN && errno != EINTR) {
    close(CloseReason::kConnectionLost);
  }
}

void Stream::close(CloseReason reason) {
  if (closed()) return;
  if (finishing_) reason = finish_reason_;
  check_acknowledged();
  if (const std::size_t lost = unacknowledged_messages(); lost != 0) host_.owner.stream_lost(*this, lost);
  host_.loop.remove(fd_.get());
  fd_.reset();
  finishing_ = false;
  blocked_ = false;
  add_to_backlog(-std::int64_t{backlog_});
  first_ = event::FrameRef();
  extra_.reset();
  host_.owner.stream_closed(*this, reason);
}

}  // namespace sse::net
