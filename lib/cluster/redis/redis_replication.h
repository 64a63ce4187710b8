#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/redis/redis_link.h"

namespace sse::observe {
class Counter;
}

namespace sse::cluster {

/// What a RedisRepository knows of the replicas of its Redis: holds back what was stored until enough of them have it,
/// and after a fail-over counts what was accepted and did not reach the new primary. Thread safe.
class RedisReplication {
 public:
  struct Options {
    unsigned replicas = 0;                    ///< that must have a message before it counts as stored; 0: do not wait
    std::chrono::milliseconds timeout{1000};  ///< for them
    observe::Counter* lost = nullptr;         ///< counts what did not reach a new primary; may be null
    std::function<void(const std::string&)> report;  ///< receives one sentence for each fail-over that lost something
  };
  /// Receives the reason why too few replicas have it, one sentence; empty: enough of them do.
  using Then = std::function<void(const std::string& why)>;

  /// `link`: stores the messages, and nothing else that cannot wait; must outlive the calls of await().
  RedisReplication(RedisLink& link, Options options) : link_(link), options_(std::move(options)) {}

  /// `then` runs on the link's thread, or at once if replicas need not be waited for, when they have everything that
  /// was stored before this call: one WAIT serves all calls that came while another one was waited for. In order.
  void await(Then then) EXCLUDES(mutex_);
  /// The sender was told that this message is stored. `member`: see redis_repository_scripts.h.
  void accepted(std::string member) EXCLUDES(mutex_);
  /// What a server says after connecting: the member of the last message of this node that it has, or nil.
  void greeted(const RedisReply& last) EXCLUDES(mutex_);

 private:
  void wait(std::vector<Then> group);

  RedisLink& link_;
  const Options options_;
  Mutex mutex_;
  std::vector<Then> next_ GUARDED_BY(mutex_);  // for the next WAIT
  bool waiting_ GUARDED_BY(mutex_) = false;
  std::deque<std::string> accepted_ GUARDED_BY(mutex_);  // the most recent members, ascending
  bool forgot_ GUARDED_BY(mutex_) = false;               // there were more
};

}  // namespace sse::cluster
