#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "cluster/core/bus.h"

namespace sse::cluster {

/// Reference counts for this node's topics: a topic is subscribed while it is in use, so that a command reaches only
/// nodes with a receiver. A stream acquires its topics before it opens and proceeds when they are subscribed, so that
/// it misses no event sent after the client has seen it open. Thread safe; `bus` must outlive it.
class Interest {
 public:
  explicit Interest(Bus& bus) : bus_(bus) {}
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;

  /// To be paired with release(). `proceed` is called exactly once: at once or on the bus' thread, when all topics are
  /// subscribed, or when the subscription fails now, so that a lost bus delays no stream.
  void acquire(const std::vector<std::string>& topics, std::function<void()> proceed) EXCLUDES(mutex_);
  /// The last release leaves the topic subscribed until sweep(), because many clients reconnect soon.
  void release(const std::vector<std::string>& topics) EXCLUDES(mutex_);

  /// Unsubscribes the topics that were unused since the last sweep().
  void sweep() EXCLUDES(mutex_);
  /// Calls `proceed` of callers that have waited since the last call, because a bus may detect a lost server late.
  void give_up_waiting() EXCLUDES(mutex_);

  std::size_t topics() const EXCLUDES(mutex_);
  /// Whether the topic is acquired and not yet released.
  bool wants(const std::string& topic) const EXCLUDES(mutex_);

 private:
  struct Topic {
    std::uint32_t wanted = 0;
    bool swept = false;      // it was already unused at the last sweep()
    std::uint64_t call = 0;  // the number of the call that subscribes it
  };
  struct Waiting {
    std::uint64_t call;
    std::uint64_t round;
    std::function<void()> proceed;
  };

  void note_subscribed(std::uint64_t call) EXCLUDES(mutex_);

  Bus& bus_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Topic> topics_ GUARDED_BY(mutex_);
  std::vector<std::string> unused_ GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);  // ascending by call
  std::uint64_t last_call_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_subscribed_call_ GUARDED_BY(mutex_) = 0;
  std::uint64_t round_ GUARDED_BY(mutex_) = 0;
  Mutex order_;  // held while calling the bus, so that calls arrive there in the order of their numbers
};

}  // namespace sse::cluster
