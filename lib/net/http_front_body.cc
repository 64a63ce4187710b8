// The part of HttpFront that receives request bodies.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http_front.h"
#include "net/http_front_connection.h"
#include "net/spool.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::net {

// A body that arrived with its head is complete, and its handler checks the sender.
bool HttpFront::has_whole_body(const Connection& connection) const {
  const RequestHead& head = connection.head;
  if (head.framing == BodyFraming::kChunked) return false;
  return head.framing == BodyFraming::kNone || connection.in.size() >= head.content_length;
}

void HttpFront::send_continue(Connection& connection) {
  set_deadline(connection, options_.body_timeout);
  if (!connection.head.expects_continue || !connection.in.empty()) return;
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  // The socket's buffer is empty between requests. A failed send shows at the next read; shutdown() makes sure of that,
  // because half a TLS record must not be left behind.
  if (connection.socket.send(kContinue) < 0) ::shutdown(connection.fd(), SHUT_RDWR);
}

void HttpFront::read_body(Connection& connection) {
  bool complete = true;
  if (connection.head.framing == BodyFraming::kChunked) {
    switch (connection.decoder->feed(connection.in, connection.body)) {
      case ChunkedDecoder::Status::kComplete:
        break;
      case ChunkedDecoder::Status::kIncomplete:
        complete = false;
        break;
      case ChunkedDecoder::Status::kBad:
        bad_requests_.add();
        refuse(connection, 400, "the chunked request body is malformed", &connection.head);
        return;
      case ChunkedDecoder::Status::kTooLarge:
        bad_requests_.add();
        refuse(connection, 413, "the request body is larger than this server accepts", &connection.head);
        return;
    }
  } else {
    const std::uint64_t on_disk = connection.spooled ? connection.spooled->size() : 0;
    const std::size_t missing =
        static_cast<std::size_t>(connection.head.content_length - on_disk) - connection.body.size();
    const std::size_t n = std::min(missing, connection.in.size());
    connection.body.append(connection.in, 0, n);
    connection.in.erase(0, n);
    complete = n == missing;
  }
  if (!connection.memory.raise_to(connection.body.size())) {
    refuse_for_memory(connection);
    return;
  }
  const bool large = connection.body.size() > connection.plan.max_in_memory.count();
  if (options_.spoolers != nullptr && (large || (complete && connection.spooled && !connection.body.empty()))) {
    spool(connection, complete);
    return;
  }
  if (!complete) {
    arm(connection, EPOLLIN | EPOLLRDHUP);
    return;
  }
  dispatch(connection);
}

void HttpFront::refuse_for_memory(Connection& connection) {
  refused_memory_.add();
  refuse(connection, 503,
         "the server has reached its limit of request bodies in memory (" + options_.memory->option() +
             "); try again later",
         &connection.head);
}

// The connection is not read while its piece is written: a client that is faster than the disk has to wait.
void HttpFront::spool(Connection& connection, bool complete) {
  const std::uint64_t on_disk = connection.spooled ? connection.spooled->size() : 0;
  const bool fresh = !connection.spooled;
  if ((fresh && spooled_.load(std::memory_order_relaxed) >= options_.max_spooled) ||
      !connection.disk.raise_to(std::max(on_disk + connection.body.size(), kMinBytesOnDisk))) {
    refused_disk_.add();
    refuse(connection, 503,
           "the server has reached its limit of request bodies on disk" +
               (options_.disk != nullptr ? " (" + options_.disk->option() + ")" : "") + "; try again later",
           &connection.head);
    return;
  }
  connection.state.store(Connection::State::kBusy, std::memory_order_relaxed);
  if (fresh) {
    connection.spooled = std::make_unique<Spool>();
    spooled_.fetch_add(1, std::memory_order_relaxed);
  }
  const bool taken = options_.spoolers->submit([this, &connection, complete] {
    std::string problem;
    try {
      connection.spooled->append(connection.body, options_.spool_folder);
    } catch (const Error& e) {
      problem = e.what();
    } catch (...) {
      observe::note_exception("a body on its way to disk");
      problem = kFailed;
    }
    connection.body.clear();
    loop_.post([this, &connection, complete, problem] { after_spool(connection, complete, problem); });
  });
  if (!taken) refuse(connection, 503, "the server has too many uploads waiting; try again later", &connection.head);
}

void HttpFront::after_spool(Connection& connection, bool complete, const std::string& problem) {
  // The received piece is on disk now, so that its memory is free.
  connection.memory.release();
  if (!problem.empty()) {
    observe::log_error("an upload was refused", {{"error", problem}});
    refuse(connection, 507, "the server cannot store the request body", &connection.head);
  } else if (complete) {
    dispatch(connection);
  } else {
    connection.state.store(Connection::State::kBody, std::memory_order_relaxed);
    set_deadline(connection, options_.body_timeout);
    read_body(connection);
  }
}

// Waits, in order of arrival, until there is memory for a body that is on disk.
void HttpFront::wait_for_memory(Connection& connection) {
  if (options_.memory != nullptr && connection.spooled->size() > options_.memory->limit()) {
    refuse_for_memory(connection);
    return;
  }
  connection.state.store(Connection::State::kWaiting, std::memory_order_relaxed);
  const auto max_wait = connection.plan.max_wait;
  set_deadline(connection, max_wait.count() != 0 ? std::min(max_wait, options_.body_timeout) : options_.body_timeout);
  memory_waiters_.push_back(connection.key);
}

void HttpFront::dispatch_waiting() {
  while (!memory_waiters_.empty()) {
    const auto found = connections_.find(memory_waiters_.front());
    if (found != connections_.end() && found->second->state.load() == Connection::State::kWaiting) {
      Connection& connection = *found->second;
      if (!connection.memory.raise_to(connection.spooled->size())) return;
      memory_waiters_.pop_front();
      dispatch(connection);
    } else {
      memory_waiters_.pop_front();
    }
  }
}

// Releases the memory and disk space of a request's body.
void HttpFront::release_body(Connection& connection) {
  connection.decoder.reset();
  if (connection.spooled) {
    connection.spooled.reset();
    spooled_.fetch_sub(1, std::memory_order_relaxed);
  }
  std::string().swap(connection.body);
  connection.memory.release();
  connection.disk.release();
  connection.admission.reset();
}

}  // namespace sse::net
