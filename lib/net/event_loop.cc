#include "net/event_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "net/file_body.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

thread_local bool t_is_loop = false;  // whether this is the thread of a loop

// What a thread did before it re-armed a descriptor happens before the event that follows: the kernel orders them.
// ThreadSanitizer knows that of EPOLL_CTL_ADD only, so it is told here. Its own epoll_ctl() would count as one more use
// of the descriptor after that, which the loop then seems to race with when it closes the descriptor.
#ifdef __SANITIZE_THREAD__
void rearm(int epoll, int fd, epoll_event& event) {
  __tsan_release(event.data.ptr);
  ::syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, fd, &event);
}
void begin_event(void* handler) {
  __tsan_acquire(handler);
}
#else
void rearm(int epoll, int fd, epoll_event& event) {
  epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}
void begin_event(void* /*handler*/) {}
#endif

}  // namespace

EventLoop::EventLoop(std::string name, const Clock& clock) : name_(std::move(name)), clock_(clock) {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) throw system_error(errno, "cannot create an epoll descriptor");
  wakeup_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup_.valid()) throw system_error(errno, "cannot create an eventfd");
  // Edge-triggered: the eventfd never has to be read.
  add(wakeup_.get(), EPOLLIN | EPOLLET, nullptr);
  clock_moved_ = clock_.on_move([this] { kick(); });
}

EventLoop::~EventLoop() {
  stop();
}

void EventLoop::start() {
  takes_tasks_.store(true, std::memory_order_relaxed);
  thread_ = std::thread([this] { run(); });
}

void EventLoop::stop() {
  if (!thread_.joinable()) return;
  post([this] { stopping_ = true; });
  thread_.join();
}

void EventLoop::post(Task task) {
  bool was_empty = false;
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    was_empty = inbox_.empty();
    inbox_.push_back(std::move(task));
  }
  if (was_empty) kick();
}

void EventLoop::kick() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t n = ::write(wakeup_.get(), &one, sizeof one);
}

void EventLoop::check_may_wait() const {
  if (t_is_loop)
    throw Error(ErrorCode::kInternal, "a loop thread must not wait for loop '" + name_ +
                                          "': call this on another thread, or use a function that does not wait");
  check_runs();
}

void EventLoop::check_runs() const {
  if (!takes_tasks_.load(std::memory_order_relaxed))
    throw Error(ErrorCode::kUnavailable,
                "loop '" + name_ + "' does not run: the server is not started, or has stopped");
}

void EventLoop::abort_on_other_thread() const {
  std::fprintf(stderr, "defect: loop '%s' touched from another thread\n", name_.c_str());
  std::abort();
}

void EventLoop::add(int fd, std::uint32_t events, Handler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw system_error(errno, "cannot watch a descriptor with epoll");
}

void EventLoop::modify(int fd, std::uint32_t events, Handler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  // The descriptor is registered, so that this fails only by a defect; a deadline would notice a missed event.
  rearm(epoll_.get(), fd, event);
}

void EventLoop::remove(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::run_after(std::chrono::milliseconds delay, std::function<void()> task) {
  const TimerId id{clock_.steady_now() + delay, next_timer_++};
  timers_.emplace(id, std::move(task));
  return id;
}

void EventLoop::run_every(std::chrono::milliseconds period, std::function<void()> task) {
  run_after(period, [this, period, task = std::move(task)] {
    observe::guarded("a timer of a loop", task);
    run_every(period, task);
  });
}

int EventLoop::wait_millis() const {
  if (timers_.empty()) return -1;
  return static_cast<int>(clock_.wait_time(timers_.begin()->first.first).count());
}

void EventLoop::run() {
  thread_id_.store(std::this_thread::get_id());
  t_is_loop = true;
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  block_broken_pipe_signal();
  std::array<epoll_event, 512> events{};
  while (!stopping_) {
    const int timeout = std::exchange(more_, false) ? 0 : wait_millis();
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    now_ = clock_.steady_now();
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events.at(static_cast<std::size_t>(i));
      if (event.data.ptr == nullptr) {
        tasks_wait_ = true;
      } else {
        begin_event(event.data.ptr);
        observe::guarded("an event of a loop", [&] { static_cast<Handler*>(event.data.ptr)->on_events(event.events); });
      }
    }
    if (tasks_wait_ || next_task_ < running_.size()) run_inbox();
    run_timers();
    run_hooks();
  }
  while (std::exchange(more_, false)) run_hooks();
  takes_tasks_.store(false, std::memory_order_relaxed);
  running_.clear();
  std::vector<Task> late;
  const MutexLock lock(mutex_);
  stopped_ = true;
  late.swap(inbox_);
}

void EventLoop::run_hooks() {
  for (const auto& hook : hooks_) observe::guarded("the end of a loop's turn", hook);
}

void EventLoop::run_inbox() {
  if (next_task_ == running_.size()) {
    running_.clear();
    next_task_ = 0;
    // The capacity of a burst should not be retained for ever.
    if (running_.capacity() > 4096) running_.shrink_to_fit();
    tasks_wait_ = false;
    const MutexLock lock(mutex_);
    running_.swap(inbox_);
  }
  // As long as the events took, if that is longer: neither can keep the other waiting.
  const SteadyTime begin = clock_.steady_now();
  const SteadyTime end = begin + std::max<SteadyTime::duration>(kTaskTime, begin - now_);
  while (next_task_ < running_.size()) {
    Task& task = running_[next_task_++];
    observe::guarded("a task of a loop", [&task] { task(); });
    observe::guarded("the end of a loop's task", [&task] { task = Task(); });
    if (clock_.steady_now() >= end) break;
  }
  if (next_task_ < running_.size() || tasks_wait_) continue_at_once();
}

void EventLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) {
    auto node = timers_.extract(timers_.begin());
    observe::guarded("a timer of a loop", node.mapped());
  }
}

}  // namespace sse::net
