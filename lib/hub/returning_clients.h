#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/units.h"
#include "hub/attributes.h"

namespace sse::hub {

struct Identity;

/// Clients whose streams have just ended and that may come back. An entry stands for one stream and is good for one
/// return within the time given. Bounded in bytes, the oldest goes first: forgetting one must do no harm. Thread safe.
class ReturningClients {
 public:
  ReturningClients(std::chrono::milliseconds kept, ByteCount limit) : kept_(kept), limit_(limit.count()) {}
  ReturningClients(const ReturningClients&) = delete;
  ReturningClients& operator=(const ReturningClients&) = delete;

  /// Remembers one stream of the client, see return_key().
  void add(const std::string& key, SteadyTime now) EXCLUDES(mutex_);
  /// Whether a stream of the client is remembered; forgets it.
  bool take(const std::string& key, SteadyTime now) EXCLUDES(mutex_);
  /// No stream is remembered. Without a lock, for callers that would have to make a key first.
  bool empty() const { return entries_.load(std::memory_order_relaxed) == 0; }
  std::uint64_t bytes() const EXCLUDES(mutex_);

 private:
  struct Client {
    std::size_t open = 0;   // streams that may yet return
    std::size_t taken = 0;  // those that did, the oldest; they are still in order_
  };
  using Clients = std::unordered_map<std::string, Client>;
  struct Entry {
    Clients::value_type* client;
    SteadyTime until;
  };

  void expire(SteadyTime now) REQUIRES(mutex_);
  void drop_oldest() REQUIRES(mutex_);

  const std::chrono::milliseconds kept_;
  const std::uint64_t limit_;
  mutable Mutex mutex_;
  Clients clients_ GUARDED_BY(mutex_);
  std::deque<Entry> order_ GUARDED_BY(mutex_);  // oldest first
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> entries_{0};
};

/// How a client is recognised when it comes back: by its clientId, or without one by its address, User-Agent and the
/// id of the last event it was given, which it names. `instance`: by its clientInstanceId, too, where it has one, which
/// tells the pages of one client apart.
std::string return_key(const Identity& identity, const Attributes& attributes, const std::string& last_event_id,
                       bool instance);

}  // namespace sse::hub
