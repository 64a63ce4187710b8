#include "application/hook_notifier.h"

#include <pthread.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "application/connection_json.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::application {
namespace {

using event::Json;

constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::milliseconds kMaxPause{10'000};
constexpr std::chrono::seconds kGiveUpAfter{60};
// A byte limit in addition to the number, because each notification contains data chosen by a page.
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} * 1024 * 1024;
constexpr const char* kDropped = "sse_hook_dropped_total";
constexpr const char* kDroppedHelp = "Notifications to the application's hook that were dropped";

bool is_of_channel(const ActivityEvent& activity) {
  return activity.type == ActivityEvent::Type::kOccupied || activity.type == ActivityEvent::Type::kVacated;
}

Json body_of(const ActivityEvent& activity, const std::string& server_id) {
  if (is_of_channel(activity))
    return {{"service", activity.service.str()}, {"channel", activity.channel}, {"serverId", server_id}};
  Json body{{"service", activity.service.str()},
            {"connection", to_json(*activity.connection, activity.service, server_id)}};
  if (activity.type == ActivityEvent::Type::kDisconnect) {
    body["reason"] = activity.reason;
    body["note"] = activity.note;
    body["durationMillis"] = activity.age().count();
  } else {
    body[activity.added ? "added" : "removed"] = activity.names;
  }
  return body;
}

}  // namespace

HookNotifier::HookNotifier(HookCaller& caller, IdGenerator& ids, observe::Registry& metrics)
    : caller_(caller),
      ids_(ids),
      dropped_full_(metrics.counter(kDropped, kDroppedHelp, {{"reason", "queue_full"}})),
      dropped_late_(metrics.counter(kDropped, kDroppedHelp, {{"reason", "given_up"}})),
      dropped_refused_(metrics.counter(kDropped, kDroppedHelp, {{"reason", "refused"}})),
      retries_(metrics.counter("sse_hook_retries_total", "Retries of notifications to the hook")) {
  metrics.gauge_callback("sse_hook_queue", "Notifications queued for the application's hook",
                         [this] { return static_cast<double>(waiting()); });
  for (Lane& lane : lanes_) {
    lane.thread = std::thread([this, &lane] {
      pthread_setname_np(pthread_self(), "sse-hook-note");
      work(lane);
    });
  }
}

HookNotifier::~HookNotifier() {
  stop(std::chrono::milliseconds(0));
}

void HookNotifier::offer(const ActivityEventRef& activity) {
  if (activity->type != ActivityEvent::Type::kDisconnect && activity->type != ActivityEvent::Type::kListening &&
      !is_of_channel(*activity))
    return;
  const std::size_t bytes = activity->bytes;
  const bool many = waiting_.fetch_add(1, std::memory_order_relaxed) >= caller_.options().queue;
  const bool large = waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes > kMaxWaitingBytes;
  if (many || large) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    drop(dropped_full_, many ? "the queue is full (--hook-queue)" : "more than 64 MiB are queued");
    return;
  }
  Lane& lane = lanes_[(is_of_channel(*activity) ? std::hash<std::string>{}(activity->channel)
                                                : activity->connection->id.value()) %
                      kLanes];
  const MutexLock lock(lane.mutex);
  lane.queue.push_back(activity);
  lane.changed.notify_one();
}

void HookNotifier::stop(std::chrono::milliseconds timeout) {
  stop_by_.store(Clock::system().steady_now() + timeout);
  stopping_.store(true);
  for (Lane& lane : lanes_) {
    const MutexLock lock(lane.mutex);
    lane.changed.notify_all();
  }
  for (Lane& lane : lanes_) {
    if (lane.thread.joinable()) lane.thread.join();
  }
}

void HookNotifier::work(Lane& lane) {
  for (;;) {
    ActivityEventRef next;
    {
      const MutexLock lock(lane.mutex);
      while (lane.queue.empty() && !stopping_.load()) lane.changed.wait(lane.mutex);
      if (lane.queue.empty()) return;
      next = std::move(lane.queue.front());
      lane.queue.pop_front();
    }
    observe::guarded("a notification to the hook", [&] { notify_hook(lane, *next); });
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    waiting_bytes_.fetch_sub(next->bytes, std::memory_order_relaxed);
  }
}

void HookNotifier::notify_hook(Lane& lane, const ActivityEvent& activity) {
  const std::string type(type_name(activity.type));
  const std::string delivery = std::to_string(ids_.next());
  const Json body = body_of(activity, caller_.server_id());
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    if (Clock::system().steady_now() >= stop_by_.load()) break;
    try {
      const net::HttpCaller::Answer answer = caller_.notify(type, delivery, activity.time, body);
      if (answer.status < 300) return;
      // A retry would get the same answer, except for these statuses (RFC 6585 §4).
      if (answer.status < 500 && answer.status != 408 && answer.status != 429) {
        drop(dropped_refused_, "the hook refused it");
        return;
      }
    } catch (const Error&) {
      // The caller has logged and counted it; retry.
    }
    if (ids_.clock().wall_now() - activity.time > kGiveUpAfter) break;
    if (!wait(lane, pause)) break;
    retries_.add();
    pause = std::min(pause * 2, kMaxPause);
  }
  drop(dropped_late_, "the hook did not accept it in time");
}

// Returns false when no time is left. Stopping the server ends the pause. A stopping program may have stopped its
// clock, so the last retries use the system clock.
bool HookNotifier::wait(Lane& lane, std::chrono::milliseconds pause) {
  const Clock& clock = ids_.clock();
  const Clock& real = Clock::system();
  const MutexLock lock(lane.mutex);
  if (!stopping_.load()) {
    const SteadyTime due = clock.steady_now() + pause;
    while (!stopping_.load() && clock.steady_now() < due) lane.changed.wait_until(lane.mutex, due, clock);
  } else {
    const SteadyTime due = std::min(real.steady_now() + pause, stop_by_.load());
    while (real.steady_now() < due) lane.changed.wait_until(lane.mutex, due, real);
  }
  return real.steady_now() < stop_by_.load();
}

void HookNotifier::drop(observe::Counter& counter, const char* why) {
  counter.add();
  if (!log_throttle_.line(ids_.clock().steady_now())) return;
  observe::log_warn("notification to the application dropped",
                    {{"reason", why}, {"waiting", std::to_string(waiting())}, {"see", kDropped}});
}

}  // namespace sse::application
