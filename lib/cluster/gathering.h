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
#include "cluster/bus.h"

namespace sse::cluster {

/// Brings answers together with the commands they are for: the part of a bus that does not depend on how it carries.
/// Thread safe; outlives every Asked it made.
class Gathering {
 public:
  /// `clock` outlives this.
  explicit Gathering(const Clock& clock = Clock::system()) : clock_(clock) {}
  ~Gathering() { stop(); }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  /// Ends what Asked::then() waits for with what there is by now, and then() from now on at once. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Numbers of `count` commands that are about to be sent, in a row from the first; open until wait() has returned,
  /// the `done` of then() was called, or the Asked is gone without either.
  std::pair<std::uint64_t, std::shared_ptr<Asked>> open(std::size_t count) EXCLUDES(mutex_);

  /// So many nodes got the command, this one included where it subscribed itself.
  void reached(std::uint64_t number, std::size_t nodes) EXCLUDES(mutex_);
  /// It could not be sent.
  void failed(std::uint64_t number, const std::string& why) EXCLUDES(mutex_);
  void answered(std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// Whoever has not answered these will not: `names` of those that may be, to show.
  void give_up(std::uint64_t first, std::size_t count, const std::vector<std::string>& names) EXCLUDES(mutex_);
  /// The command came back to its sender, who does not answer.
  void came_back(std::uint64_t number) EXCLUDES(mutex_);

  /// As reached(), by a bus that knows who they are: by a key of its own, and a name to show.
  struct Expected {
    std::string key;
    std::string name;
  };
  void expect(std::uint64_t number, std::vector<Expected> nodes) EXCLUDES(mutex_);
  /// As answered(), by one of those expected.
  void answered_by(const std::string& key, std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// One of those expected has no use for the command.
  void excused(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);
  /// One of those expected will not answer any more: it is silent.
  void lost(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);

  /// Calls the `done` of every then() that has all its answers. The bus does so after it has told of answers, where it
  /// holds no locks; what it forgets is called when its patience is over.
  void run_ready() EXCLUDES(mutex_);

 private:
  class Waiter;
  using Done = std::function<void(std::vector<Answers>)>;
  struct Slot {
    Answers answers;
    std::optional<std::size_t> reached;
    std::vector<Expected> open;  // no answer yet
    std::size_t excused = 0;
    std::size_t lost = 0;
    bool given_up = false;

    std::size_t heard() const { return answers.answers.size() + excused; }
    bool complete() const;
    Answers take();
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
  std::vector<Answers> wait(std::uint64_t first, std::chrono::milliseconds patience) EXCLUDES(mutex_);
  void then(std::uint64_t first, std::chrono::milliseconds patience, Done done) EXCLUDES(mutex_);
  void forget(std::uint64_t first) EXCLUDES(mutex_);
  std::vector<Answers> take(std::uint64_t first) REQUIRES(mutex_);
  void drop_answered() REQUIRES(mutex_);
  void watch_deadlines() EXCLUDES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  CondVar hurry_;
  std::uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::map<std::uint64_t, Call> calls_ GUARDED_BY(mutex_);  // by the number of the first command
  std::deque<std::uint64_t> ready_ GUARDED_BY(mutex_);      // have all answers, or waited long enough
  std::deque<Deadline> deadlines_ GUARDED_BY(mutex_);       // of then(), ascending
  std::thread watcher_ GUARDED_BY(mutex_);                  // since the first then()
  SteadyTime wakes_ GUARDED_BY(mutex_) = SteadyTime::max();
  bool used_ GUARDED_BY(mutex_) = false;  // then() was called since the watcher last had nothing to watch
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::cluster
