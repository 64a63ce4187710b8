#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "net/http_front.h"
#include "net/socket.h"
#include "net/spool.h"

namespace sse::net {

/// How long a connection that has had its last answer is read and dropped, for its client to read that (RFC 9112
/// section 9.6).
inline constexpr std::chrono::milliseconds kLingerTime{2000};
inline constexpr const char* kFailed = "the request could not be handled; the server's log says why";

/// For the front's own files.
class HttpFront::Connection final : public EventLoop::Handler {
 public:
  enum class State : unsigned char { kHandshake, kIdle, kHead, kBody, kWaiting, kBusy, kWriting, kLingering };

  Connection(HttpFront& owner, std::uint64_t id, UniqueFd fd, Peer from)
      : front(owner), key(id), socket(std::move(fd)), peer(std::move(from)) {}

  void on_events(std::uint32_t /*events*/) override {
    switch (state.load(std::memory_order_acquire)) {
      case State::kWriting:
        front.send_out(*this, keep_after_write);
        return;
      case State::kHandshake:
        front.shake_hands(*this);
        return;
      default:
        front.on_readable(*this);
    }
  }

  int fd() const { return socket.fd.get(); }

  HttpFront& front;
  const std::uint64_t key;
  Socket socket;
  const Peer peer;
  std::unique_ptr<AddressLimiter::Ticket> ticket;
  bool from_proxy = false;  // its requests have tickets, each its own
  bool admitted = true;     // else it was refused for a limit and does not count

  // Written by the thread that owns the connection; the loop looks at it to tell whether that is the loop.
  std::atomic<State> state{State::kIdle};
  std::atomic<SteadyTime> deadline{};
  SteadyTime scheduled = SteadyTime::max();  // loop only: when the wheel's earliest entry for this connection fires

  // What it is told instead of being heard; over TLS that has to wait for the handshake.
  int refusal_status = 0;
  const char* refusal = nullptr;

  std::string in;
  std::size_t scanned = 0;
  std::string out;
  std::size_t written = 0;
  FileBody file;  // behind `out`
  bool keep_after_write = false;

  // Of the request being read or handled.
  std::string head_text;
  RequestHead head;  // views point into head_text
  RequestPlan plan;
  std::shared_ptr<const Admission> admission;
  SteadyTime dispatched{};
  std::string body;  // of a spooled one, what is not yet on disk
  std::unique_ptr<Spool> spooled;
  ByteBudget::Share memory;
  ByteBudget::Share disk;
  std::unique_ptr<ChunkedDecoder> decoder;
  SteadyTime complete_at;
  std::size_t lingered = 0;
};

}  // namespace sse::net
