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
  for (;;) {
    owed += static_cast<double>(rate_) * 0.1;
    auto count = static_cast<std::size_t>(owed);
    owed -= static_cast<double>(count);
    for (const Service& service : services_) {
      if (count == 0) break;
      observe::guarded("the draining of streams", [&] {
        std::vector<ConnectionId> ids = hub::find(service.sender->hub(), {});
        if (ids.size() > count) ids.resize(count);
        count -= ids.size();
        service.sender->hub().send_away(ids, spread_);
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
