#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/task.h"

namespace sse::net {

/// A pool of threads for tasks that may block. It starts with none and grows up to a maximum when a task waits and no
/// thread is idle; a thread that has been idle for `idle_time` ends while there are more than the minimum. The thread
/// that became idle last gets the next task, so that a trickle of tasks needs no more threads than necessary. Thread
/// safe.
class WorkerPool {
 public:
  /// `name`: of the threads, of which the next two are the minimum and the maximum. `queue_limit`: most waiting tasks.
  WorkerPool(std::string name, std::size_t min_threads, std::size_t max_threads, std::size_t queue_limit,
             std::chrono::milliseconds idle_time = std::chrono::seconds(10), const Clock& clock = Clock::system());
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Returns false when the queue is full or the pool has stopped; `task` is then destroyed without running.
  bool submit(Task task) EXCLUDES(mutex_);
  /// Runs the queued tasks, ends the threads and joins them. Idempotent.
  void stop() EXCLUDES(mutex_);

  std::size_t threads() const EXCLUDES(mutex_);

 private:
  struct Idle {
    CondVar changed;
    bool woken = false;  ///< there is a task, or the pool stops
  };
  void work(std::list<std::thread>::iterator self) EXCLUDES(mutex_);
  void wake(Idle& idle) REQUIRES(mutex_);
  /// Returns false after `idle_time_` without a task.
  bool await_work() REQUIRES(mutex_);

  const std::string name_;
  const std::size_t min_threads_;
  const std::size_t max_threads_;
  const std::size_t queue_limit_;
  const std::chrono::milliseconds idle_time_;
  const Clock& clock_;

  mutable Mutex mutex_;
  CondVar ended_one_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  std::list<std::thread> threads_ GUARDED_BY(mutex_);
  std::list<std::thread> ended_ GUARDED_BY(mutex_);  // to be joined
  std::vector<Idle*> idle_ GUARDED_BY(mutex_);       // not called yet, the last to become idle at the end
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::net
