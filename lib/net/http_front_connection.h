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

/// How long a connection is read and discarded after its last response, so that the client can read that response (RFC
/// 9112 §9.6).
inline constexpr std::chrono::milliseconds kLingerTime{2000};
inline constexpr const char* kFailed = "the request could not be handled; the server's log says why";

/// One connection of an HttpFront, for the source files of HttpFront only: its socket, its state and its request.
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
        front.do_handshake(*this);
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
  bool from_proxy = false;  // each of its requests has its own ticket
  bool admitted = true;     // false: it was refused for a limit and does not count

  // Written by the thread that owns the connection; the loop reads it to see whether it is the owner.
  std::atomic<State> state{State::kIdle};
  std::atomic<SteadyTime> deadline{};
  SteadyTime scheduled = SteadyTime::max();  // loop only: when the wheel's earliest entry for this connection fires

  // Set for a connection that is refused before its request is read; over TLS the refusal has to wait for the
  // handshake.
  int refusal_status = 0;
  const char* refusal = nullptr;

  std::string in;
  std::size_t scanned = 0;
  std::string out;
  std::size_t written = 0;
  FileBody file;  // sent after `out`
  bool keep_after_write = false;

  // The request being read or handled.
  std::string head_text;
  RequestHead head;  // views point into head_text
  RequestPlan plan;
  std::shared_ptr<const Admission> admission;
  SteadyTime dispatched{};
  std::string body;  // of a spooled body, the bytes that are not yet on disk
  std::unique_ptr<Spool> spooled;
  ByteBudget::Share memory;
  ByteBudget::Share disk;
  std::unique_ptr<ChunkedDecoder> decoder;
  SteadyTime complete_at;
  std::size_t lingered = 0;
};

}  // namespace sse::net
