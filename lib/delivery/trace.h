#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/batched.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/trace_context.h"
#include "event/target.h"
#include "net/stream.h"

namespace sse::delivery {

/// Records the recent steps of each message (committed, sent, confirmed, …), so that an operator can trace a message.
/// Holds the last 50,000 entries of one service in memory, fewer when names are long, and 10,000 ends of streams.
/// Thread safe, for loop threads: each thread collects entries in a batch of its own, which is merged when it is full
/// or when a trace is queried.
class Trace {
 public:
  enum class Step : unsigned char {
    kAccepted,   ///< the request was valid; no recipient
    kCommitted,  ///< on disk; no recipient
    kRepeated,   ///< a request with the same key was received again; no recipient
    kSent,       ///< went into a stream
    kConfirmed,  ///< by the recipient's client, or its TCP
    kExpired,
    kDeleted,    ///< by an operator
    kCollapsed,  ///< replaced by a newer message with the same collapse key
    kRetried,    ///< an operator requested another delivery
    kFailed,     ///< the stream it was sent on ended without a confirmation
  };
  struct Entry {
    WallTime time;
    MessageId message;
    Step what = Step::kAccepted;
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;                          ///< of the recipient
    ConnectionId connection{};                 ///< kSent, kConfirmed, kFailed
    std::optional<net::CloseReason> reason{};  ///< kFailed: why the stream ended
  };

  static constexpr std::size_t kMaxContexts = 10'000;
  /// Limit for the names of all recipients together.
  static constexpr std::size_t kMaxNameBytes = std::size_t{4} * 1024 * 1024;

  explicit Trace(std::size_t max_entries = 50'000, std::size_t max_ended = 10'000)
      : max_(max_entries), max_ended_(max_ended) {}

  void add(MessageId message, Step what, WallTime time) { add({time, message, what, {}, {}, {}}); }
  void add(Entry entry) EXCLUDES(mutex_) { note(std::move(entry)); }
  /// A stream has ended: the messages sent on it count as failed, unless they were or will still be confirmed.
  void ended(ConnectionId connection, net::CloseReason reason, WallTime time) EXCLUDES(mutex_);
  /// The entries of a message, in the order in which they happened.
  std::vector<Entry> of(MessageId message) EXCLUDES(mutex_);
  /// Remembers the trace context of a message, of the last kMaxContexts messages with one; a known message keeps its.
  void set_context(MessageId message, const TraceContext& context) EXCLUDES(contexts_mutex_);
  /// Of a message; costs one atomic operation while no message has one.
  std::optional<TraceContext> context(MessageId message) const EXCLUDES(contexts_mutex_);
  /// How often add() and ended() have taken the lock that all threads share.
  std::uint64_t batches() const { return batches_.load(std::memory_order_relaxed); }

 private:
  struct End {
    WallTime time;
    net::CloseReason reason = net::CloseReason::kClientClosed;
  };

  struct Item {
    std::uint64_t number = 0;  ///< in the order of the entries
    Entry entry;               ///< with an invalid message: the end of the stream
  };
  static constexpr std::size_t kBatchItems = 256;
  static constexpr std::size_t kBatchBytes = std::size_t{32} * 1024;

  void note(Entry entry) EXCLUDES(mutex_);
  void take(std::vector<Item>& batch) EXCLUDES(mutex_);
  void keep(Item item) REQUIRES(mutex_);
  void keep_end(const Entry& end) REQUIRES(mutex_);
  void add_failures(std::vector<Entry>& story) const REQUIRES(mutex_);

  const std::size_t max_;
  const std::size_t max_ended_;
  std::atomic<std::uint64_t> number_{0};
  std::atomic<std::uint64_t> batches_{0};
  Batched<Item> batched_{kBatchItems, kBatchBytes};
  mutable Mutex mutex_;                          // locked while a part of batched_ is locked
  std::deque<Item> entries_ GUARDED_BY(mutex_);  // approximately oldest first
  std::size_t name_bytes_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, End> ends_ GUARDED_BY(mutex_);  // by connection
  std::deque<std::uint64_t> ends_order_ GUARDED_BY(mutex_);         // oldest first

  std::atomic<bool> has_contexts_{false};
  mutable Mutex contexts_mutex_;
  std::unordered_map<std::uint64_t, TraceContext> contexts_ GUARDED_BY(contexts_mutex_);  // by message
  std::deque<std::uint64_t> contexts_order_ GUARDED_BY(contexts_mutex_);                  // oldest first
};

/// `accepted`, `sent`, …
std::string_view step_name(Trace::Step what);

}  // namespace sse::delivery
