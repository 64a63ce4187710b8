#include "server/drainer.h"

#include <algorithm>

#include "hub/connection_scan.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kStep{100};

}  // namespace

void Drainer::start(unsigned streams_a_second) {
  rate_ = std::max(1U, streams_a_second);
  const MutexLock lock(control_);
  if (stopped_ || thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
}

void Drainer::cancel() {
  const MutexLock lock(control_);
  end_run();
}

void Drainer::stop() {
  const MutexLock lock(control_);
  stopped_ = true;
  end_run();
}

void Drainer::end_run() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
  const MutexLock lock(mutex_);
  ending_ = false;
}

// Runs until end_run(): a stream that was still opening when draining began appears in a later step.
void Drainer::run() {
  observe::log_info("draining: clients are sent to other nodes", {{"rate", std::to_string(rate_) + "/s"}});
  const Clock& clock = application::clock_of(services_);
  SteadyTime next = clock.steady_now();
  double backlog = 0;
  std::vector<hub::ConnectionIterator> streams;
  for (const application::Service& service : services_) streams.emplace_back(service.sender->hub().directory());
  for (;;) {
    backlog += static_cast<double>(rate_) * 0.1;
    auto count = static_cast<std::size_t>(backlog);
    backlog -= static_cast<double>(count);
    for (std::size_t i = 0; i < services_.size() && count > 0; ++i) {
      observe::guarded("the draining of streams", [&] {
        // Streams that have ended on their own do not count.
        while (count > 0) {
          const std::vector<ConnectionId> ids = streams[i].next(count);
          if (ids.empty()) break;
          count -= services_[i].sender->hub().close_for_reconnect(ids, spread_);
        }
      });
    }
    next += kStep;
    const MutexLock lock(mutex_);
    while (!ending_ && changed_.wait_until(mutex_, next, clock)) {
    }
    if (ending_) return;
  }
}

}  // namespace sse::server
