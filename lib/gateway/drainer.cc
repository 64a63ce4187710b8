#include "gateway/drainer.h"

#include <algorithm>

#include "hub/survey.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

constexpr std::chrono::milliseconds kStep{100};

}  // namespace

void Drainer::start(unsigned streams_a_second) {
  rate_ = std::max(1U, streams_a_second);
  const MutexLock lock(mutex_);
  if (stopping_ || thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
}

void Drainer::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

// Until it is stopped: a stream that was on its way when the draining began is seen a step later.
void Drainer::run() {
  observe::log_info("draining: streams are sent elsewhere", {{"rate", std::to_string(rate_) + "/s"}});
  const Clock& clock = clock_of(services_);
  SteadyTime next = clock.steady_now();
  double owed = 0;
  std::vector<hub::ConnectionsInTurn> streams;
  for (const Service& service : services_) streams.emplace_back(service.sender->hub());
  for (;;) {
    owed += static_cast<double>(rate_) * 0.1;
    auto count = static_cast<std::size_t>(owed);
    owed -= static_cast<double>(count);
    for (std::size_t i = 0; i < services_.size() && count > 0; ++i) {
      observe::guarded("the draining of streams", [&] {
        // Those that have gone by themselves meanwhile do not count.
        while (count > 0) {
          const std::vector<ConnectionId> ids = streams[i].next(count);
          if (ids.empty()) break;
          count -= services_[i].sender->hub().send_away(ids, spread_);
        }
      });
    }
    next += kStep;
    const MutexLock lock(mutex_);
    while (!stopping_ && changed_.wait_until(mutex_, next, clock)) {
    }
    if (stopping_) return;
  }
}

}  // namespace sse::gateway
