#include "net/worker_pool.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "net/file_body.h"
#include "observe/barrier.h"

namespace sse::net {

WorkerPool::WorkerPool(std::string name, std::size_t min_threads, std::size_t max_threads, std::size_t queue_limit,
                       std::chrono::milliseconds idle_time, const Clock& clock)
    : name_(std::move(name)),
      min_threads_(min_threads),
      max_threads_(max_threads),
      queue_limit_(queue_limit),
      idle_time_(idle_time),
      clock_(clock) {}

bool WorkerPool::submit(Task task) {
  std::list<std::thread> ended;
  {
    const MutexLock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(task));
    ended.swap(ended_);
    if (!idle_.empty()) {
      wake(*idle_.back());
      idle_.pop_back();
    } else if (threads_.size() < max_threads_) {
      const auto self = threads_.emplace(threads_.end());
      try {
        *self = std::thread([this, self] { work(self); });
      } catch (const std::system_error&) {
        // The system has no more threads: the existing ones serve the queue, and without any the task is refused.
        threads_.erase(self);
        if (threads_.empty()) {
          queue_.pop_back();
          return false;
        }
      }
    }
  }
  for (std::thread& thread : ended) thread.join();
  return true;
}

void WorkerPool::wake(Idle& idle) {
  idle.woken = true;
  // Under the mutex: the called thread may end, and `idle` with it, a moment later.
  idle.changed.notify_one();
}

void WorkerPool::stop() {
  std::list<std::thread> threads;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (Idle* idle : idle_) wake(*idle);
    idle_.clear();
  }
  for (;;) {
    {
      const MutexLock lock(mutex_);
      threads.swap(ended_);
      if (threads.empty() && threads_.empty()) return;
      while (threads.empty() && ended_.empty()) ended_one_.wait(mutex_);
      threads.splice(threads.end(), ended_);
    }
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
}

std::size_t WorkerPool::threads() const {
  const MutexLock lock(mutex_);
  return threads_.size();
}

void WorkerPool::work(std::list<std::thread>::iterator self) {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  block_broken_pipe_signal();
  mutex_.lock();
  for (;;) {
    if (!queue_.empty()) {
      Task task = std::move(queue_.front());
      queue_.pop_front();
      mutex_.unlock();
      observe::guarded("a task of a worker", [&task] { task(); });
      observe::guarded("the end of a worker's task", [&task] { task = Task(); });
      mutex_.lock();
      continue;
    }
    if (stopping_) break;
    if (!await_work() && threads_.size() > min_threads_) break;
  }
  ended_.splice(ended_.end(), threads_, self);
  // Under the mutex: stop() must not see the thread as ended and destroy the condition variable before this.
  if (stopping_) ended_one_.notify_all();
  mutex_.unlock();
}

bool WorkerPool::await_work() {
  Idle idle;
  idle_.push_back(&idle);
  const SteadyTime deadline = clock_.steady_now() + idle_time_;
  while (!idle.woken) {
    if (idle.changed.wait_until(mutex_, deadline, clock_) || idle.woken) continue;
    std::erase(idle_, &idle);
    return false;
  }
  return true;
}

}  // namespace sse::net
