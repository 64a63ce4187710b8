#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/clock.h"
#include "base/fd.h"
#include "net/connection_limits.h"
#include "net/event_loop.h"
#include "net/front_metrics.h"
#include "net/front_options.h"
#include "net/listener.h"
#include "net/peer.h"

namespace sse::net {

/// A connection that was just accepted.
struct AcceptedConnection {
  UniqueFd socket;
  Peer peer;
  ConnectionPlace place;
  bool tls = false;                 ///< it begins with a TLS handshake
  bool begins_with_header = false;  ///< before that with a PROXY protocol header
};

/// Accepts the connections of one listener for a front, whose limits it may share with acceptors of other listeners.
///
/// When the process is out of descriptors, the waiting connections are refused one after the other with a descriptor
/// that is held in reserve; if even that is lost, accepting pauses for a moment. Level-triggered accepting would
/// otherwise spin.
class Acceptor final : private EventLoop::Handler {
 public:
  /// Receives the connections on the loop thread.
  class Owner {
   public:
    /// Takes an admitted connection, or a refused one (ConnectionPlace::refusal) whose client is to read the reason.
    virtual void accepted(AcceptedConnection connection) = 0;

   protected:
    ~Owner() = default;
  };

  /// How long accepting pauses when no descriptor is left.
  static constexpr std::chrono::milliseconds kPause{250};

  /// All references must outlive the acceptor.
  Acceptor(EventLoop& loop, Listener& listener, const FrontOptions& options, ConnectionLimits& limits,
           FrontMetrics& metrics, Owner& owner);
  /// REQUIRES: the loop has stopped.
  ~Acceptor() = default;
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Starts accepting, before or after the loop starts. Any thread. Throws Error(kIo) when the kernel refuses.
  void start();
  /// Stops accepting and closes the listener. Loop thread.
  void stop();

 private:
  void on_events(std::uint32_t events) override;
  bool uses_tls() const { return options_.tls != nullptr && !listener_.address().is_unix(); }
  void accept_one(UniqueFd socket, const sockaddr_storage& address);
  void refuse_at_once(const UniqueFd& socket, const ConnectionRefusal& refusal) const;
  void on_out_of_descriptors();
  void refuse_waiting();
  void open_spare();
  void pause();
  void warn();

  EventLoop& loop_;
  Listener& listener_;
  const FrontOptions& options_;
  ConnectionLimits& limits_;
  FrontMetrics& metrics_;
  Owner& owner_;

  // Loop thread only.
  UniqueFd spare_;  // closed to accept and refuse connections when descriptors run out
  SteadyTime last_warning_{};
  bool stopped_ = false;
};

}  // namespace sse::net
