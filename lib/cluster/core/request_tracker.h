#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/bus.h"

namespace sse::cluster {

/// Matches replies to the commands that wait for them: the part of a bus that is independent of its transport. Thread
/// safe; must outlive every PendingCall it made.
class RequestTracker {
 public:
  /// `clock` must outlive this.
  explicit RequestTracker(const Clock& clock = Clock::system()) : clock_(clock) {}
  ~RequestTracker() { stop(); }
  RequestTracker(const RequestTracker&) = delete;
  RequestTracker& operator=(const RequestTracker&) = delete;

  /// Completes every pending then() with the replies so far, and later ones immediately. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Allocates consecutive numbers, from the returned one, for `count` commands that are about to be sent. They stay
  /// open until wait() returns, the `done` of then() is called, or the PendingCall is destroyed without either.
  std::pair<std::uint64_t, std::shared_ptr<PendingCall>> open(std::size_t count) EXCLUDES(mutex_);

  /// The command reached that many nodes, this one included if it is a subscriber.
  void reached(std::uint64_t number, std::size_t nodes) EXCLUDES(mutex_);
  /// The command could not be sent.
  void failed(std::uint64_t number, const std::string& why) EXCLUDES(mutex_);
  void answered(std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// No more replies to these will arrive: `names` are the nodes that may be missing, for display.
  void give_up(std::uint64_t first, std::size_t count, const std::vector<std::string>& names) EXCLUDES(mutex_);
  /// The command was delivered to its own sender, which does not reply.
  void echoed(std::uint64_t number) EXCLUDES(mutex_);

  /// As reached(), for a bus that knows the nodes: by a key of the bus, and a name for display.
  struct Expected {
    std::string key;
    std::string name;
  };
  void expect(std::uint64_t number, std::vector<Expected> nodes) EXCLUDES(mutex_);
  /// As answered(), by an expected node.
  void answered_by(const std::string& key, std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// An expected node does not handle the command: no reply is due.
  void excused(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);
  /// An expected node will not reply any more; it counts as silent.
  void lost(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);

  /// Calls the `done` of every then() that is complete. The bus calls it after it has reported replies, without holding
  /// locks; if it does not, `done` is called at the timeout.
  void run_ready() EXCLUDES(mutex_);

 private:
  class Waiter;
  using Done = std::function<void(std::vector<Replies>)>;
  struct Slot {
    Replies answers;
    std::optional<std::size_t> reached;
    std::vector<Expected> open;  // no reply yet
    std::size_t excused = 0;
    std::size_t lost = 0;
    bool given_up = false;

    std::size_t reply_count() const { return answers.answers.size() + excused; }
    bool complete() const;
    Replies take();
  };
  // The commands of one open().
  struct Call {
    std::vector<Slot> slots;
    SteadyTime opened;
    std::size_t incomplete = 0;
    CondVar changed;
    Done done;  // of then()
  };
  struct Deadline {
    SteadyTime when;
    std::uint64_t first;
  };

  template <class Change>
  void change(std::uint64_t number, Change change) EXCLUDES(mutex_);
  std::vector<Replies> wait(std::uint64_t first, std::chrono::milliseconds timeout) EXCLUDES(mutex_);
  void then(std::uint64_t first, std::chrono::milliseconds timeout, Done done) EXCLUDES(mutex_);
  void forget(std::uint64_t first) EXCLUDES(mutex_);
  std::vector<Replies> take(std::uint64_t first) REQUIRES(mutex_);
  void drop_answered() REQUIRES(mutex_);
  void watch_deadlines() EXCLUDES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  CondVar deadline_changed_;
  std::uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::map<std::uint64_t, Call> calls_ GUARDED_BY(mutex_);  // by the number of the first command
  std::deque<std::uint64_t> ready_ GUARDED_BY(mutex_);      // complete, or timed out
  std::deque<Deadline> deadlines_ GUARDED_BY(mutex_);       // of then(), ascending
  std::thread watcher_ GUARDED_BY(mutex_);                  // since the first then()
  SteadyTime next_wakeup_ GUARDED_BY(mutex_) = SteadyTime::max();
  bool used_ GUARDED_BY(mutex_) = false;  // then() was called since the watcher was last idle
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::cluster
