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

/// Recognises clients that reconnect after the server has ended their streams. An entry stands for one stream and
/// matches one reconnect within the retention time. Bounded in bytes; the oldest entry is dropped first, which must do
/// no harm. Thread safe.
class ResumingClients {
 public:
  ResumingClients(std::chrono::milliseconds kept, ByteCount limit) : retention_(kept), limit_(limit.count()) {}
  ResumingClients(const ResumingClients&) = delete;
  ResumingClients& operator=(const ResumingClients&) = delete;

  /// Remembers one stream of the client, see reconnect_key().
  void add(const std::string& key, SteadyTime now) EXCLUDES(mutex_);
  /// Whether a stream of the client is remembered; removes it.
  bool take(const std::string& key, SteadyTime now) EXCLUDES(mutex_);
  /// Whether no stream is remembered. Takes no lock: with it callers avoid building a key.
  bool empty() const { return entries_.load(std::memory_order_relaxed) == 0; }
  std::uint64_t bytes() const EXCLUDES(mutex_);

 private:
  struct Client {
    std::size_t open = 0;   // streams not yet matched
    std::size_t taken = 0;  // matched, the oldest ones; still in order_
  };
  using Clients = std::unordered_map<std::string, Client>;
  struct Entry {
    Clients::value_type* client;
    SteadyTime until;
  };

  void expire(SteadyTime now) REQUIRES(mutex_);
  void drop_oldest() REQUIRES(mutex_);

  const std::chrono::milliseconds retention_;
  const std::uint64_t limit_;
  mutable Mutex mutex_;
  Clients clients_ GUARDED_BY(mutex_);
  std::deque<Entry> order_ GUARDED_BY(mutex_);  // oldest first
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> entries_{0};
};

/// The key by which a reconnecting client is recognised: its clientId, or without one its address, User-Agent and last
/// event id. `instance`: the clientInstanceId, too, where it has one; it distinguishes the pages of one client.
std::string reconnect_key(const Identity& identity, const Attributes& attributes, const std::string& last_event_id,
                          bool instance);

}  // namespace sse::hub
