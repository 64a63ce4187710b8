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
#include "event/target.h"
#include "net/stream.h"

namespace sse::delivery {

/// What happened to messages lately, for those who ask what became of one: the last 50,000 happenings, less where names
/// are long, and 10,000 ends of streams, in memory, of one service. Thread safe; for loop threads: each notes what
/// happens for itself, and brings it to where it is looked for now and then, or when somebody looks.
class Trace {
 public:
  enum class What : unsigned char {
    kAccepted,   ///< the request was valid; no recipient
    kCommitted,  ///< on disk; no recipient
    kRepeated,   ///< a request with the same key came again; no recipient
    kSent,       ///< went into a stream
    kConfirmed,  ///< by the recipient's side
    kExpired,
    kDeleted,    ///< by an operator
    kCollapsed,  ///< a younger message with the same collapse key has taken its place
    kRetried,    ///< an operator asked for one more delivery
    kFailed,     ///< the stream it had been sent into ended, and nothing on it confirmed the message
  };
  struct Entry {
    WallTime time;
    MessageId message;
    What what = What::kAccepted;
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;                          ///< of the recipient
    ConnectionId connection{};                 ///< kSent, kConfirmed, kFailed
    std::optional<net::CloseReason> reason{};  ///< kFailed: why the stream ended
  };

  /// Of all recipients' names together.
  static constexpr std::size_t kMaxNameBytes = std::size_t{4} * 1024 * 1024;

  explicit Trace(std::size_t most = 50'000, std::size_t most_ended = 10'000) : most_(most), most_ended_(most_ended) {}

  void add(MessageId message, What what, WallTime time) { add({time, message, what, {}, {}, {}}); }
  void add(Entry entry) EXCLUDES(mutex_) { note(std::move(entry)); }
  /// A stream has ended: what was sent into it has failed, but for what has been confirmed or still will be.
  void ended(ConnectionId connection, net::CloseReason reason, WallTime time) EXCLUDES(mutex_);
  /// In the order they happened.
  std::vector<Entry> of(MessageId message) EXCLUDES(mutex_);
  /// How often add() and ended() have taken the lock that all threads share.
  std::uint64_t batches() const { return batches_.load(std::memory_order_relaxed); }

 private:
  struct End {
    WallTime time;
    net::CloseReason reason = net::CloseReason::kClientClosed;
  };

  struct Item {
    std::uint64_t number = 0;  ///< in the order of happening
    Entry entry;               ///< with an invalid message: the end of the stream
  };
  static constexpr std::size_t kBatchItems = 256;
  static constexpr std::size_t kBatchBytes = std::size_t{32} * 1024;

  void note(Entry entry) EXCLUDES(mutex_);
  void take(std::vector<Item>& batch) EXCLUDES(mutex_);
  void keep(Item item) REQUIRES(mutex_);
  void keep_end(const Entry& end) REQUIRES(mutex_);
  void add_failures(std::vector<Entry>& story) const REQUIRES(mutex_);

  const std::size_t most_;
  const std::size_t most_ended_;
  std::atomic<std::uint64_t> number_{0};
  std::atomic<std::uint64_t> batches_{0};
  Batched<Item> batched_{kBatchItems, kBatchBytes};
  mutable Mutex mutex_;                          // taken with a part of batched_ held
  std::deque<Item> entries_ GUARDED_BY(mutex_);  // about oldest first
  std::size_t name_bytes_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, End> ends_ GUARDED_BY(mutex_);  // by connection
  std::deque<std::uint64_t> ends_order_ GUARDED_BY(mutex_);         // oldest first
};

/// `accepted`, `sent`, …
std::string_view what_name(Trace::What what);

}  // namespace sse::delivery
