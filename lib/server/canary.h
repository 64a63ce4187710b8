#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "api/stream_parser.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "event/json.h"
#include "net/event_loop.h"
#include "net/host_resolver.h"
#include "net/stream_client.h"
#include "observe/metrics.h"
#include "server/canary_meter.h"
#include "server/canary_streams.h"
#include "server/server.h"

namespace sse::server {

/// A client of this server's own public address (`--canary`): holds one stream there, as a page does, has an event sent
/// to it in every interval, by this node and by each other one, and measures until they arrive. It has a loop of its
/// own, which no stream waits for, and reconnects by itself. Thread safe.
///
/// The time of an event of another node runs from the request to that node, on one clock: the clocks of the nodes need
/// not agree.
class Canary final : private net::StreamClient::Owner {
 public:
  /// Until a stream is open, from the look-up of the name to connect-finish.
  static constexpr std::chrono::milliseconds kOpenTimeout{5000};
  /// Between attempts to open one; doubled after each failure.
  static constexpr std::chrono::milliseconds kMinRetry{500};
  static constexpr std::chrono::milliseconds kMaxRetry{30'000};
  /// Of a stream, since the last event that was expected: more comes from a server that is not this one.
  static constexpr std::size_t kMaxForeignBytes = std::size_t{64} * 1024;

  /// `draining`: while true, nothing is sent or judged. References must outlive this. Throws as canary_request().
  Canary(const ServerOptions& options, const std::string& server_id, bool in_cluster, CanaryStreams& streams,
         const std::atomic<bool>& draining, observe::Registry& metrics);
  ~Canary();

  void start();
  /// Closes the stream. Returns soon, also while the name is being looked up. Idempotent.
  void stop();
  /// For the status of the server.
  event::Json status() const EXCLUDES(mutex_);

 private:
  // net::StreamClient::Owner
  void stream_begun(const std::string& server_id) override;
  void stream_bytes(std::string_view bytes) override;
  void stream_ended(const std::string& why) override;

  void connect();
  void take(const api::StreamEvent& event);
  void confirm_open(const api::StreamEvent& first);
  /// Closes the stream because of what it brings.
  void reject(const std::string& why);
  void retry_later();
  void send();
  void show(bool open, const std::string& error) EXCLUDES(mutex_);
  event::Json side_status(CanaryMeter::Origin origin) const;

  const std::chrono::milliseconds interval_;
  const std::string url_;
  const bool in_cluster_;
  CanaryStreams& streams_;
  const std::atomic<bool>& draining_;
  const Clock& clock_;
  CanaryMeter meter_;
  bool started_ = false;  // of the thread that starts and stops it

  // Of the loop.
  std::unique_ptr<api::StreamParser> parser_;
  std::string node_;  // that has the stream
  std::string rejected_;
  std::string last_failure_ = "no stream has been opened yet";
  bool open_ = false;
  std::size_t foreign_bytes_ = 0;
  std::chrono::milliseconds retry_ = kMinRetry;

  mutable Mutex mutex_;
  bool shown_open_ GUARDED_BY(mutex_) = false;
  std::string shown_node_ GUARDED_BY(mutex_);
  std::string shown_error_ GUARDED_BY(mutex_);

  net::HostResolver resolver_;
  net::EventLoop loop_;
  net::EventLoop::TimerId deadline_{};
  net::StreamClient client_;
};

}  // namespace sse::server
