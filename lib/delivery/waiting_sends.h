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

/// Senders that wait until their message is confirmed, without a thread for each: when something happened that may end
/// a wait, one of a few threads looks. Thread safe.
class WaitingSends {
 public:
  /// `clock` outlives this; it ends the waits.
  explicit WaitingSends(const Clock& clock);
  ~WaitingSends() { stop(); }
  WaitingSends(const WaitingSends&) = delete;
  WaitingSends& operator=(const WaitingSends&) = delete;

  /// Looks whether it has what it waits for, and then sees to the answer. `over`: it has waited long enough, and is to
  /// do so with what there is. Returns whether it has. Never two at a time for one wait; may block; must not throw.
  using Look = std::function<bool(bool over)>;
  /// What add() needs: throws before somebody has sent what nobody could wait for. Idempotent.
  void start() EXCLUDES(mutex_);
  /// From now on `look` is called soon, after each confirmed() of the message, every `period` where that is not 0, and
  /// at last with `over` at the deadline, after cancel() or in stop(), until it returns true.
  void add(MessageId message, SteadyTime deadline, std::chrono::milliseconds period, Look look) EXCLUDES(mutex_);

  /// Those who wait for the message may have what they wait for. Takes a lock, if a short one: not on a loop thread.
  void confirmed(MessageId message) EXCLUDES(mutex_);
  /// Those who wait for any message may have, which was missed: all look, once.
  void look_again() EXCLUDES(mutex_);
  /// How many wait.
  std::size_t size() const EXCLUDES(mutex_);

  /// Ends all waits, also those to come.
  void cancel() EXCLUDES(mutex_);
  /// As cancel(), and returns when all have ended. Idempotent.
  void stop() EXCLUDES(mutex_);

 private:
  struct Wait {
    MessageId message;
    SteadyTime deadline;
    std::chrono::milliseconds period;
    Look look;
    SteadyTime due;          // the next look
    bool looking = false;    // on a thread
    bool once_more = false;  // something happened meanwhile
  };
  using Key = std::uint64_t;

  void begin() REQUIRES(mutex_);
  void schedule(Key key, Wait& wait, SteadyTime when) REQUIRES(mutex_);
  void look_soon(Key key, Wait& wait) REQUIRES(mutex_);
  void run() EXCLUDES(mutex_);
  void look(Key key) EXCLUDES(mutex_);

  const Clock& clock_;
  net::WorkerPool lookers_;

  mutable Mutex mutex_;
  CondVar changed_;  // a wait is due earlier than any before, the last has ended, or all are to end
  Key next_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<Key, Wait> waits_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, std::vector<Key>> by_message_ GUARDED_BY(mutex_);
  std::set<std::pair<SteadyTime, Key>> due_ GUARDED_BY(mutex_);  // those that nobody looks at now
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);  // since the first start()
};

}  // namespace sse::delivery
