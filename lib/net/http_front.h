#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/acceptor.h"
#include "net/connection_limits.h"
#include "net/event_loop.h"
#include "net/front_metrics.h"
#include "net/front_options.h"
#include "net/http_connection.h"
#include "net/listener.h"
#include "net/responder.h"
#include "net/timer_wheel.h"
#include "net/upload_spooler.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::net {

class HttplibApp;

/// An HTTP/1.1 server: accepts connections, reads complete requests without blocking, passes them to workers and keeps
/// connections alive. It consists of an Acceptor for each listener, the ConnectionLimits, an HttpConnection each, and
/// an UploadSpooler with a RequestBody each; this class owns them and watches the deadlines.
///
/// The head of a request decides how the rest is treated (RequestPlan). Until the decision, at most the head and the
/// bytes that arrived with it, 16 KiB in all, are read from the connection. A refused request is answered with its body
/// unread, and the connection is closed. `Expect: 100-continue` is answered after the decision.
///
/// Only admitted connections count against max_connections. A small number of refused connections stay open for a
/// moment, so that their clients can read the reason; further ones are closed at once.
///
/// An idle or slow client costs a descriptor and a little memory, never a thread.
class HttpFront final : private Acceptor::Owner, private HttpConnection::Owner {
 public:
  using Responder = net::Responder;
  using FastHandler = net::FastHandler;

  /// All references must outlive the front. `others_open`: connections that were handed over and still count against
  /// the limit.
  HttpFront(EventLoop& loop, Listener& listener, HttplibApp& app, WorkerPool& workers, FrontOptions options,
            observe::Registry& metrics, std::function<std::size_t()> others_open);
  /// REQUIRES: the loop and the workers have stopped.
  ~HttpFront();
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;

  /// Accepts the connections of a further listener, too. Before start(); `listener` must outlive the front.
  void listen_on(Listener& listener);
  /// Before start().
  void set_fast_handler(FastHandler fast_handler) { fast_handler_ = std::move(fast_handler); }
  /// Starts accepting. Before or after the loop starts. Any thread.
  void start();
  /// Stops accepting and closes idle connections; requests in progress are answered with "Connection: close". Any
  /// thread.
  void drain();
  /// Connections that the front holds now. Any thread.
  std::size_t open() const { return limits_.open(); }

 private:
  void accepted(AcceptedConnection accepted) override;
  SteadyTime schedule(HttpConnection& connection, SteadyTime when) override;
  void wait_for_memory(HttpConnection& connection) override;
  bool waits_for_memory() const override { return !memory_waiters_.empty(); }
  void closed(HttpConnection& connection) override;
  void check_deadlines();
  void resume_waiting();
  HttpConnection* find(std::uint64_t key) const;

  EventLoop& loop_;
  const FrontOptions options_;
  FastHandler fast_handler_;
  FrontMetrics metrics_;
  ConnectionLimits limits_;
  UploadSpooler spooler_;
  std::atomic<bool> draining_{false};
  const HttpConnection::Shared shared_;

  // Loop thread only.
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_map<std::uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::deque<std::uint64_t> memory_waiters_;  // keys of connections in kWaitingForMemory, in order of arrival
  std::uint64_t next_key_ = 1;
  TimerWheel wheel_;
};

}  // namespace sse::net
