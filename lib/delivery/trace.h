#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "event/target.h"

namespace sse::delivery {

/// What happened to messages lately, for those who ask what became of one: the last 50,000 happenings, in memory, of
/// one service. Thread safe; cheap enough for loop threads.
class Trace {
 public:
  enum class What : unsigned char {
    kAccepted,   ///< the request was valid; no recipient
    kCommitted,  ///< on disk; no recipient
    kRepeated,   ///< a request with the same key came again; no recipient
    kSent,       ///< went into a stream
    kConfirmed,  ///< by the recipient's side
    kExpired,
    kDeleted,  ///< by an operator
    kRetried,  ///< an operator asked for one more delivery
  };
  struct Entry {
    WallTime time;
    MessageId message;
    What what = What::kAccepted;
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;           ///< of the recipient
    ConnectionId connection{};  ///< kSent, kConfirmed
  };

  explicit Trace(std::size_t most = 50'000) : most_(most) {}

  void add(MessageId message, What what, WallTime time = wall_now()) { add({time, message, what, {}, {}, {}}); }
  void add(Entry entry) EXCLUDES(mutex_);
  /// In the order they happened.
  std::vector<Entry> of(MessageId message) const EXCLUDES(mutex_);

 private:
  const std::size_t most_;
  mutable Mutex mutex_;
  std::vector<Entry> ring_ GUARDED_BY(mutex_);
  std::size_t next_ GUARDED_BY(mutex_) = 0;
};

/// `accepted`, `sent`, …
std::string_view what_name(Trace::What what);

}  // namespace sse::delivery
