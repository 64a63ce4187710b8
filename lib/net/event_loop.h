#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "net/task.h"

namespace sse::net {

/// One thread that waits on epoll and owns everything that its handlers own, so that they need no locks.
///
/// A turn of the loop handles descriptor events, then the tasks posted so far, but for about kTaskTime or as long as
/// the events took, then due timers, then the end-of-turn hooks (where streams write what the turn queued for them). A
/// handler may be destroyed by a task, a timer or a hook, never from inside an event: another event of the same batch
/// may still refer to it.
class EventLoop {
 public:
  /// Receives a descriptor's events on the loop thread.
  class Handler {
   public:
    /// `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR bits, epoll_ctl(2). Must not throw.
    virtual void on_events(std::uint32_t events) = 0;

   protected:
    ~Handler() = default;
  };

  /// How long a turn runs posted tasks before it looks at descriptors again; a task is not interrupted.
  static constexpr std::chrono::microseconds kTaskTime{500};

  using TimerId = std::pair<SteadyTime, std::uint64_t>;

  /// `name`: of the thread, at most 15 characters. `clock` drives the timers and must outlive the loop. Throws
  /// Error(kIo) when the kernel has no descriptors left.
  explicit EventLoop(std::string name, const Clock& clock = Clock::system());
  /// REQUIRES: stopped or never started.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Any thread.
  void start();
  /// Runs the tasks posted before, ends the thread and joins it. Idempotent. Not from the loop thread.
  void stop();
  /// Runs `task` on the loop thread; after the loop has stopped, destroys it at once. The eventfd is written only when
  /// the inbox was empty.
  void post(Task task) EXCLUDES(mutex_);
  bool in_loop_thread() const { return thread_id_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  /// Every function that only the loop thread may call begins with it. On another thread it aborts the process; in
  /// builds without assertions it does nothing and costs nothing.
  void assert_in_loop_thread() const {
#ifndef NDEBUG
    if (!in_loop_thread()) abort_on_other_thread();
#endif
  }
  /// Functions that wait for a task of this loop call it first, also in builds without assertions: it refuses what
  /// would wait for ever, or find nothing. Throws Error(kUnavailable) before start() and after the loop has stopped,
  /// and Error(kInternal) on the thread of any loop, because two loops that wait for each other never end.
  void check_may_wait() const;
  /// Throws Error(kUnavailable) before start() and after the loop has stopped. Any thread.
  void check_runs() const;
  /// Adds a descriptor with EPOLL* bits, or changes them. Throws Error(kIo) when the kernel refuses (its watch limit).
  void add(int fd, std::uint32_t events, Handler* handler);
  void modify(int fd, std::uint32_t events, Handler* handler);
  void remove(int fd);

  // Loop thread only, or before start().
  TimerId run_after(std::chrono::milliseconds delay, std::function<void()> task);
  void cancel(TimerId timer) {
    timers_.erase(timer);
  }
  void run_every(std::chrono::milliseconds period, std::function<void()> task);
  void at_turn_end(std::function<void()> hook) {
    hooks_.push_back(std::move(hook));
  }
  /// The next turn does not wait: an end-of-turn hook has left work for it. stop() waits for that work.
  void continue_at_once() {
    more_ = true;
  }
  /// The monotonic clock as read after this turn's wait.
  SteadyTime now() const {
    return now_;
  }
  /// Any thread.
  const Clock& clock() const {
    return clock_;
  }

 private:
  [[noreturn]] void abort_on_other_thread() const;
  void run();
  void run_inbox() EXCLUDES(mutex_);
  void run_hooks();
  void run_timers();
  void kick();
  int wait_millis() const;

  const std::string name_;
  const Clock& clock_;
  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;
  std::atomic<bool> takes_tasks_{false};  // from start() until it has stopped

  // Loop thread only.
  SteadyTime now_ = clock_.steady_now();
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_timer_ = 0;
  std::vector<std::function<void()>> hooks_;
  std::vector<Task> running_;
  std::size_t next_task_ = 0;  // of running_
  bool tasks_wait_ = false;    // the eventfd was written since inbox_ was taken
  bool more_ = false;
  bool stopping_ = false;

  Mutex mutex_;
  std::vector<Task> inbox_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;

  std::shared_ptr<void> clock_moved_;  // last: it writes to wakeup_ until it is destroyed
};

}  // namespace sse::net
