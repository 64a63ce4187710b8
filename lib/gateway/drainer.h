#pragma once

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "gateway/page_routes.h"

namespace sse::gateway {

/// Sends the streams of a server elsewhere, so many a second, each with a reconnect time of its own: all at once they
/// would be a storm for those who take them. Thread safe.
class Drainer {
 public:
  /// `services` outlive stop(). Streams come back within `spread`.
  Drainer(const std::vector<Service>& services, std::chrono::milliseconds spread)
      : services_(services), spread_(spread) {}
  ~Drainer() { stop(); }
  Drainer(const Drainer&) = delete;
  Drainer& operator=(const Drainer&) = delete;

  /// Begins; a second call changes the rate.
  void start(unsigned streams_a_second) EXCLUDES(mutex_);
  void stop() EXCLUDES(mutex_);

 private:
  void run() EXCLUDES(mutex_);

  const std::vector<Service>& services_;
  const std::chrono::milliseconds spread_;
  std::atomic<unsigned> rate_{0};
  Mutex mutex_;
  CondVar changed_;
  std::thread thread_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::gateway
