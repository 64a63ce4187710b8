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

/// Threads for work that may block. Starts with none, grows when work waits and no thread is idle, up to `most`; a
/// thread that found nothing to do for `idle_time` ends while more than `least` are there. The thread that became idle
/// last gets the next task, so that a trickle of tasks keeps no more threads than it needs. Thread safe.
class WorkerPool {
 public:
  /// `name`: of the threads. `queue_limit`: tasks that may wait.
  WorkerPool(std::string name, std::size_t least, std::size_t most, std::size_t queue_limit,
             std::chrono::milliseconds idle_time = std::chrono::seconds(10), const Clock& clock = Clock::system());
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when the queue is full or the pool stopped; then `task` was destroyed without running.
  bool submit(Task task) EXCLUDES(mutex_);
  /// Runs what is queued, ends the threads and joins them. Idempotent.
  void stop() EXCLUDES(mutex_);

  std::size_t threads() const EXCLUDES(mutex_);

 private:
  struct Idle {
    CondVar changed;
    bool called = false;  ///< there is a task, or the pool stops
  };
  void work(std::list<std::thread>::iterator self) EXCLUDES(mutex_);
  void call(Idle& idle) REQUIRES(mutex_);
  /// False when there was nothing to do for `idle_time_`.
  bool await_work() REQUIRES(mutex_);

  const std::string name_;
  const std::size_t least_;
  const std::size_t most_;
  const std::size_t queue_limit_;
  const std::chrono::milliseconds idle_time_;
  const Clock& clock_;

  mutable Mutex mutex_;
  CondVar ended_one_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  std::list<std::thread> threads_ GUARDED_BY(mutex_);
  std::list<std::thread> ended_ GUARDED_BY(mutex_);  // to be joined
  std::vector<Idle*> idle_ GUARDED_BY(mutex_);       // uncalled, the last to become idle at the end
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::net
