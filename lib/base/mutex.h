#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

// clang's thread-safety attributes; no-ops elsewhere. https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define SSE_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define SSE_THREAD_ATTRIBUTE(x)
#endif
#define SSE_CAPABILITY(x) SSE_THREAD_ATTRIBUTE(capability(x))
#define SSE_SCOPED_CAPABILITY SSE_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) SSE_THREAD_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) SSE_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) SSE_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define SSE_ACQUIRE(...) SSE_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define SSE_TRY_ACQUIRE(...) SSE_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define SSE_RELEASE(...) SSE_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define SSE_NO_ANALYSIS SSE_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace sse {

/// A std::mutex for clang's thread-safety analysis.
class SSE_CAPABILITY("mutex") Mutex {
 public:
  void lock() SSE_ACQUIRE() { mutex_.lock(); }
  void unlock() SSE_RELEASE() { mutex_.unlock(); }
  bool try_lock() SSE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class SSE_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SSE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() SSE_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition variable for Mutex. Callers loop over their own condition, so that the analysis sees the guarded reads.
class CondVar {
 public:
  /// REQUIRES: `mutex` is held; it is released while waiting and held again afterwards.
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  /// Waits until notified, or until `clock` reaches `deadline`: returns false in that case. May wake spuriously, as
  /// wait() does. REQUIRES: as for wait().
  bool wait_until(Mutex& mutex, SteadyTime deadline, const Clock& clock = Clock::system()) REQUIRES(mutex) {
    return clock.wait_until(*this, mutex, deadline);
  }
  /// For Clock: waits by the system's clock.
  bool wait_until_system(Mutex& mutex, SteadyTime deadline) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = cv_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace sse
