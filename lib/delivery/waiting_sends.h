#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "net/worker_pool.h"

namespace sse::delivery {

/// Senders that wait until their message is confirmed, without a thread for each: after an event that may end a wait,
/// one of a few threads runs its check. Thread safe.
class WaitingSends {
 public:
  /// `clock` must outlive this object; deadlines refer to it.
  explicit WaitingSends(const Clock& clock);
  ~WaitingSends() { stop(); }
  WaitingSends(const WaitingSends&) = delete;
  WaitingSends& operator=(const WaitingSends&) = delete;

  /// Checks whether the confirmations are complete and, if so, sends the reply. `over`: the wait ends now, so it sends
  /// the reply with the present states. Returns whether it has replied. Never runs concurrently for one wait; may
  /// block; must not throw.
  using Check = std::function<bool(bool over)>;
  /// Starts the thread for add(). Callers do so before sending, because it may throw: a message must not be sent when
  /// waiting for it is impossible. Idempotent.
  void start() EXCLUDES(mutex_);
  /// Runs `check` soon, after each confirmed() of the message, every `period` unless that is 0, and finally with `over`
  /// at the deadline, after cancel() or in stop(), until it returns true.
  void add(MessageId message, SteadyTime deadline, std::chrono::milliseconds period, Check check) EXCLUDES(mutex_);

  /// The message may now be confirmed: runs the checks of its waits. Not on a loop thread, because it takes a lock (for
  /// a short time).
  void confirmed(MessageId message) EXCLUDES(mutex_);
  /// Notifications of confirmations may have been lost: runs the checks of all waits once.
  void check_all() EXCLUDES(mutex_);
  /// The number of waits.
  std::size_t size() const EXCLUDES(mutex_);

  /// Ends all waits, including future ones.
  void cancel() EXCLUDES(mutex_);
  /// Like cancel(), and returns when all waits have ended. Idempotent.
  void stop() EXCLUDES(mutex_);

 private:
  struct Wait {
    MessageId message;
    SteadyTime deadline;
    std::chrono::milliseconds period;
    Check check;
    SteadyTime due;            // the next check
    bool looking = false;      // a thread runs the check
    bool check_again = false;  // check again afterwards
  };
  using Key = std::uint64_t;

  void begin() REQUIRES(mutex_);
  void schedule(Key key, Wait& wait, SteadyTime when) REQUIRES(mutex_);
  void check_async(Key key, Wait& wait) REQUIRES(mutex_);
  void run() EXCLUDES(mutex_);
  void check(Key key) EXCLUDES(mutex_);

  const Clock& clock_;
  net::WorkerPool checkers_;

  mutable Mutex mutex_;
  CondVar changed_;  // a wait is due earlier than any before, the last has ended, or all are to end
  Key next_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<Key, Wait> waits_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, std::vector<Key>> by_message_ GUARDED_BY(mutex_);
  std::set<std::pair<SteadyTime, Key>> due_ GUARDED_BY(mutex_);  // those without a running check
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);  // since the first start()
};

}  // namespace sse::delivery
