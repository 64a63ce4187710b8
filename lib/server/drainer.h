#pragma once

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "application/service.h"
#include "base/mutex.h"

namespace sse::server {

/// Drains a server: ends its streams at a given rate, each with its own reconnect time, so that the clients reconnect
/// to other nodes. All streams at once would overload the nodes that receive them. Thread safe.
class Drainer {
 public:
  /// `services` outlive stop(). Clients reconnect within `spread`.
  Drainer(const std::vector<application::Service>& services, std::chrono::milliseconds spread)
      : services_(services), spread_(spread) {}
  ~Drainer() { stop(); }
  Drainer(const Drainer&) = delete;
  Drainer& operator=(const Drainer&) = delete;

  /// Starts draining; a second call changes the rate.
  void start(unsigned streams_a_second) EXCLUDES(control_, mutex_);
  /// Ends draining; start() may begin it again.
  void cancel() EXCLUDES(control_, mutex_);
  /// Ends draining for good.
  void stop() EXCLUDES(control_, mutex_);

 private:
  void run() EXCLUDES(mutex_);
  void end_run() REQUIRES(control_) EXCLUDES(mutex_);

  const std::vector<application::Service>& services_;
  const std::chrono::milliseconds spread_;
  std::atomic<unsigned> rate_{0};
  Mutex control_;  // held while a run begins or ends; the thread does not take it
  std::thread thread_ GUARDED_BY(control_);
  bool stopped_ GUARDED_BY(control_) = false;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::server
