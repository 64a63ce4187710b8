#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "application/service.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "server/memory_trimmer.h"
#include "store/message_repository.h"

namespace sse::server {

/// The periodic work of a server, on a thread of its own because it may block on the store: moves expired messages to
/// the dead letters, publishes messages again that a node has not answered to, returns memory to the system after a
/// burst, and in a demo sends events.
class Maintenance {
 public:
  struct Options {
    bool demo = false;              ///< sends an event to every online user every 3 seconds
    std::function<void()> sweep{};  ///< further work before each expiry; may be empty; must not throw
  };

  /// References must outlive stop().
  Maintenance(const std::vector<application::Service>& services, store::MessageRepository& repository,
              observe::Registry& metrics, const Clock& clock, Options options);

  /// Expires once, and periodically from now on. The timers run on `loop`, which must outlive stop(). Any thread.
  void start(net::EventLoop& loop);
  /// Ends the thread. Idempotent.
  void stop() { worker_.stop(); }

  /// Expires messages and history now. Any thread that may block. Does not throw.
  void expire();

 private:
  void push_demo();
  bool any_unreached() const;
  void send_unreached();
  std::uint64_t activity() const;

  const std::vector<application::Service>& services_;
  store::MessageRepository& repository_;
  observe::Counter& expired_;
  const Clock& clock_;
  const Options options_;
  MemoryTrimmer memory_trimmer_{1000};  ///< on the loop only
  std::atomic<bool> sending_unreached_{false};
  net::WorkerPool worker_;
};

}  // namespace sse::server
