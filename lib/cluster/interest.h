#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "cluster/bus.h"

namespace sse::cluster {

/// Which topics this node wants, counted: subscribed while anybody wants them, so that a command reaches only nodes
/// that hold a receiver. Whoever opens a stream acquires its topics first and goes on when they stand: what is sent
/// after the client has seen its stream open is then not missed. Thread safe; `bus` outlives it.
class Interest {
 public:
  explicit Interest(Bus& bus) : bus_(bus) {}
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;

  /// Once for every release(). `go_on` is called exactly once: at once or on the bus' thread, when all topics stand; or
  /// when that cannot be had now, so that a lost bus holds nobody up.
  void acquire(const std::vector<std::string>& topics, std::function<void()> go_on) EXCLUDES(mutex_);
  /// The last one leaves the topic subscribed until sweep(): those who go often come back at once.
  void release(const std::vector<std::string>& topics) EXCLUDES(mutex_);

  /// Unsubscribes what nobody has wanted since the last sweep().
  void sweep() EXCLUDES(mutex_);
  /// Goes on with those who have waited since the last call: a bus that has lost its server says so only after a while.
  void give_up_waiting() EXCLUDES(mutex_);

  std::size_t topics() const EXCLUDES(mutex_);
  /// Whether anybody who acquired the topic has not released it.
  bool wants(const std::string& topic) const EXCLUDES(mutex_);

 private:
  struct Topic {
    std::uint32_t wanted = 0;
    bool swept = false;      // nobody wanted it at the last sweep() either
    std::uint64_t call = 0;  // the subscribe call that asked for it
  };
  struct Waiting {
    std::uint64_t call;
    std::uint64_t round;
    std::function<void()> go_on;
  };

  void stands(std::uint64_t call) EXCLUDES(mutex_);

  Bus& bus_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Topic> topics_ GUARDED_BY(mutex_);
  std::vector<std::string> unwanted_ GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);  // ascending by call
  std::uint64_t last_call_ GUARDED_BY(mutex_) = 0;
  std::uint64_t standing_ GUARDED_BY(mutex_) = 0;
  std::uint64_t round_ GUARDED_BY(mutex_) = 0;
  Mutex order_;  // held over a call of the bus, so that calls arrive there in the order of their numbers
};

}  // namespace sse::cluster
